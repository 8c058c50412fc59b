// The machine under an engine: what the options hand in, or the real thing they name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/data_layout.h"
#include "env/random.h"
#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "store/abandoning_object_store.h"

namespace millrace {

/// Whether others can reach the place: neither memory of this process nor a part of the data directory.
bool IsShared(std::string_view url, const DataLayout& layout);

struct Components {
  std::shared_ptr<Clock> clock;
  std::shared_ptr<FileSystem> file_system;
  std::shared_ptr<Random> random;
  std::shared_ptr<ObjectStore> objects;
  std::shared_ptr<AbandoningObjectStore> brought;  // the same, where a program brought it along and there are threads
  std::shared_ptr<MetadataStore> metadata;
  bool objects_are_near = false;            // a local directory or memory: what no segment refers to may go at once
  bool objects_are_shared = true;           // others can reach the place without this data directory: it is claimed
  std::string home;                         // the URL of the objects; "": a program brought them along
  bool follows = false;                     // the log is read from its object store alone
  std::shared_ptr<FileSystem> cache_files;  // where the disk cache lies, if that is not the file system of the rest

  /// Clock, file system and randomness; no I/O.
  static Components Machine(const EngineOptions& options);
  /// The URLs, checked without I/O. kInvalidArgument, kUnsupported.
  static Result<void> CheckUrls(const EngineOptions& options);
  /// Metadata and object store, created if need be. The store is the one that is named, or the log's home.
  /// kInvalidArgument: this log lives elsewhere; kAlreadyExists: a new log, at a place where there is one.
  Result<void> OpenStores(const EngineOptions& options, const DataLayout& layout);
  /// Whether `options` may name a log by its object store alone, to be read.
  static bool MayFollow(const EngineOptions& options);
  /// Instead of OpenStores: metadata and files are in memory, and the store is looked at.
  Result<void> OpenFollowed(const EngineOptions& options, const DataLayout& layout);

 private:
  Result<void> OpenMetadata(const EngineOptions& options, const DataLayout& layout);
  Result<void> OpenObjects(const EngineOptions& options, const DataLayout& layout, const std::string& url);
  Result<void> Adopt(const EngineOptions& options, const DataLayout& layout, const std::string& remembered);
  Result<void> CheckVacant(const EngineOptions& options, const DataLayout& layout);
};

}  // namespace millrace
