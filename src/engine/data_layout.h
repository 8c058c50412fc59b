// Where everything of one engine lies. Two different name spaces never meet: their bytes are hexadecimal digits in the
// paths and keys, and no name of ours is made of such digits alone.
//
//   name space ""    data_dir/{wal, positions, objects, cache, meta.db, engine, lock}      keys ab/…
//   another          data_dir/ns/6162…/{…}, pieces of at most 200 digits        keys ns/6162…/ab/…
//
// A cache directory set apart is divided likewise.
#pragma once

#include <filesystem>
#include <string>

#include "millrace/options.h"

namespace millrace {

struct DataLayout {
  std::filesystem::path root;  // of this name space
  std::filesystem::path wal, positions, meta, cache, marker, lock;
  std::string key_prefix;  // "" or ends with a slash

  static DataLayout Of(const EngineOptions& options);
};

}  // namespace millrace
