// Where everything of one engine lies. Two different name spaces never meet: their bytes are hexadecimal digits in the
// paths and keys, and no name of ours is made of such digits alone.
//
//   name space ""    data_dir/{wal, positions, objects, cache, meta.db, engine, lock}      keys ab/…
//   another          data_dir/ns/6162…/{…}, pieces of at most 200 digits        keys ns/6162…/ab/…
//
// A cache directory set apart is divided likewise.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

/// Longer than any URL that is taken.
inline constexpr std::size_t kHomeBytesMax = 8 << 10;

struct DataLayout {
  std::filesystem::path root;  // of this name space
  std::filesystem::path wal, positions, meta, cache, marker, lock, time;
  std::filesystem::path home;  // where the object store is, for people; the log itself has it in metadata
  std::string key_prefix;      // "" or ends with a slash

  static DataLayout Of(const EngineOptions& options);
  /// Paths of the machine become absolute, so that they go on naming what they name now when the process changes its
  /// working directory; and so that no name of a directory is taken for a URL. Those of a file system that the caller
  /// brought along are its own. kUnavailable: there is no working directory.
  static Result<void> MakeAbsolute(EngineOptions& options);
};

}  // namespace millrace
