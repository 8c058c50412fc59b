#include "meta/sqlite_metadata_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>

#include "base/bugs.h"
#include "base/try.h"
#include "meta/metadata_rows.h"
#include "meta/sqlite_database.h"
#include "meta/sqlite_rows.h"
#include "meta/sqlite_schema.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr std::string_view kIdentity = "identity", kNextTopic = "next_topic";
/// Segments that one transaction removes: a few megabytes of pages, since each object's row lies on a page of its own.
constexpr std::size_t kSegmentsAtOnce = 250;

/// Between two transactions of one call. A thread that gives a mutex back and takes it at once keeps out callers that
/// wait for it; this lets them have it first.
void LetOthersIn() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

std::span<const std::byte> IdBytes(const ObjectId& id) { return std::as_bytes(std::span(id)); }

}  // namespace

SqliteMetadataStore::SqliteMetadataStore(std::unique_ptr<FileLock> lock, std::unique_ptr<SqliteDatabase> database)
    : lock_(std::move(lock)), database_(std::move(database)) {}

SqliteMetadataStore::~SqliteMetadataStore() = default;

Result<std::unique_ptr<SqliteMetadataStore>> SqliteMetadataStore::Open(const std::filesystem::path& path,
                                                                       FileSystem& file_system) {
  MR_TRY(file_system.CreateDirectories(path.parent_path()));
  const std::string holder = fmt::format("process {}", ::getpid());
  MR_ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, file_system.Lock(path.string() + "-lock", holder));
  auto present = file_system.Open(path, {});
  if (!present && present.error().code() == ErrorCode::kNotFound) {
    MR_TRY(CreateSqliteFile(path, file_system));
  } else if (!present) {
    return std::move(present).error();
  } else {
    MR_ASSIGN_OR_RETURN(const std::uint64_t size, (*present)->Size());
    if (size == 0) {  // SQLite would take it for a new one
      return Error(ErrorCode::kCorruption, fmt::format("metadata: {} is empty", path.string()))
          .WithDamage({{}, {}, {}, path.string(), 0, 0});
    }
  }
  MR_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database,
                      SqliteDatabase::Open(path, file_system, SqlitePurpose::kServe));
  MR_TRY(MigrateSqlite(*database));
  MR_ASSIGN_OR_RETURN(const std::int64_t removals, database->QueryInteger("SELECT count(*) FROM removals"));
  std::unique_ptr<SqliteMetadataStore> store(new SqliteMetadataStore(std::move(lock), std::move(database)));
  MutexLock guard(store->mutex_);
  store->removals_ = removals > 0;
  return store;
}

Result<void> SqliteMetadataStore::Close() {
  MutexLock lock(mutex_);
  auto closed = database_->Close();
  lock_.reset();
  return closed;
}

// Identity and counters.

Result<StoreRow> SqliteMetadataStore::FindStoreRow(std::string_view name) {
  MR_ASSIGN_OR_RETURN(SqliteStatement find,
                      database_->Prepare("SELECT name, number, text, crc FROM store WHERE name = ?"));
  find.Bind(AsBytes(name));
  MR_ASSIGN_OR_RETURN(const bool found, find.Step());
  if (!found) return StoreRow{std::string(name), 0, ""};
  return ReadStoreRow(*database_, find);
}

Result<void> SqliteMetadataStore::PutStoreRow(const StoreRow& row) {
  MR_ASSIGN_OR_RETURN(SqliteStatement put, database_->Prepare("REPLACE INTO store VALUES (?, ?, ?, ?)"));
  Bind(put, row);
  return put.Run();
}

Result<std::string> SqliteMetadataStore::Identity() {
  MutexLock lock(mutex_);
  MR_ASSIGN_OR_RETURN(StoreRow row, FindStoreRow(kIdentity));
  return std::move(row.text);
}

Result<void> SqliteMetadataStore::SetIdentity(std::string_view identity) {
  MutexLock lock(mutex_);
  MR_ASSIGN_OR_RETURN(StoreRow row, FindStoreRow(kIdentity));
  if (row.text == identity) return {};
  if (!row.text.empty()) return Error(ErrorCode::kAlreadyExists, "metadata: the store belongs to " + row.text);
  row.text = identity;
  return database_->Transact([&]() MR_REQUIRES(mutex_) { return PutStoreRow(row); });
}

// Topics.

Result<std::optional<TopicRow>> SqliteMetadataStore::FindTopic(TopicId topic) {
  MR_ASSIGN_OR_RETURN(SqliteStatement find, database_->Prepare("SELECT * FROM topics WHERE id = ?"));
  find.Bind(topic.value());
  MR_ASSIGN_OR_RETURN(const bool found, find.Step());
  if (!found) return std::optional<TopicRow>();
  MR_ASSIGN_OR_RETURN(TopicRow row, ReadTopicRow(*database_, find));
  return std::optional(std::move(row));
}

Result<void> SqliteMetadataStore::PutTopic(const TopicRow& row) {
  MR_ASSIGN_OR_RETURN(SqliteStatement put, database_->Prepare("REPLACE INTO topics VALUES (?,?,?,?,?,?,?,?,?,?)"));
  Bind(put, row);
  return put.Run();
}

Result<void> SqliteMetadataStore::AddPartitions(TopicId topic, std::int32_t begin, std::int32_t end) {
  for (std::int32_t p = begin; p < end; ++p) {
    PartitionRow row;
    row.key = {topic, PartitionId(p)};
    MR_TRY(PutPartition(row));
  }
  return {};
}

Result<TopicRow> SqliteMetadataStore::CreateTopic(std::string_view name, const TopicOptions& options,
                                                  std::string_view uuid, std::int64_t now_ms) {
  MR_TRY(CheckTopicOptions(options, 0));
  TopicRow row{TopicId(0), std::string(uuid), std::string(name), options, now_ms};
  MutexLock lock(mutex_);
  MR_TRY(database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    {
      MR_ASSIGN_OR_RETURN(SqliteStatement taken, database_->Prepare("SELECT 1 FROM topics WHERE name = ?"));
      MR_ASSIGN_OR_RETURN(const bool is_taken, taken.Bind(AsBytes(name)).Step());
      if (is_taken) {
        return Error(ErrorCode::kAlreadyExists, fmt::format("metadata: there is already a topic {}", name));
      }
    }
    MR_ASSIGN_OR_RETURN(StoreRow next, FindStoreRow(kNextTopic));
    row.id = TopicId(++next.number);
    MR_TRY(PutStoreRow(next));
    MR_TRY(PutTopic(row));
    return AddPartitions(row.id, 0, options.partitions);
  }));
  return row;
}

Result<void> SqliteMetadataStore::AlterTopic(TopicId topic, const TopicOptions& options) {
  MutexLock lock(mutex_);
  return database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    MR_ASSIGN_OR_RETURN(std::optional<TopicRow> row, FindTopic(topic));
    if (!row) return TopicNotFound(topic);
    MR_TRY(CheckTopicOptions(options, row->options.partitions));
    MR_TRY(AddPartitions(topic, row->options.partitions, options.partitions));
    row->options = options;
    return PutTopic(*row);
  });
}

Result<void> SqliteMetadataStore::DeleteTopic(TopicId topic, std::int64_t now_ms) {
  {
    MutexLock lock(mutex_);
    bool more = false;
    MR_TRY(database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
      MR_ASSIGN_OR_RETURN(const std::optional<TopicRow> row, FindTopic(topic));
      if (!row) return TopicNotFound(topic);
      for (const char* sql : {"DELETE FROM partitions WHERE topic = ?", "DELETE FROM positions WHERE topic = ?",
                              "DELETE FROM topics WHERE id = ?"}) {
        MR_ASSIGN_OR_RETURN(SqliteStatement remove, database_->Prepare(sql));
        MR_TRY(remove.Bind(topic.value()).Run());
      }
      MR_ASSIGN_OR_RETURN(more, DropSomeOf(topic, now_ms));
      if (!more) return {};
      MR_ASSIGN_OR_RETURN(SqliteStatement put, database_->Prepare("REPLACE INTO removals VALUES (?,?,?)"));
      Bind(put, RemovalRow{topic, now_ms});
      return put.Run();
    }));
    removals_ = removals_ || more;
    if (!more) return {};
  }
  // The topic is gone. What fails from here on is done later.
  for (;;) {
    LetOthersIn();
    MutexLock lock(mutex_);
    if (auto more = RemoveSome(); !more || !*more) return {};
  }
}

Result<bool> SqliteMetadataStore::RemoveSome() {
  if (!removals_) return false;
  bool more = false;
  MR_TRY(database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    more = false;
    RemovalRow removal;
    {
      MR_ASSIGN_OR_RETURN(SqliteStatement find, database_->Prepare("SELECT * FROM removals LIMIT 1"));
      MR_ASSIGN_OR_RETURN(const bool found, find.Step());
      if (!found) return {};
      MR_ASSIGN_OR_RETURN(removal, ReadRemovalRow(*database_, find));
    }
    more = true;
    MR_ASSIGN_OR_RETURN(const bool segments, DropSomeOf(removal.topic, removal.removed_ms));
    if (segments) return {};
    MR_ASSIGN_OR_RETURN(SqliteStatement remove, database_->Prepare("DELETE FROM removals WHERE topic = ?"));
    return remove.Bind(removal.topic.value()).Run();
  }));
  removals_ = more;
  return more;
}

Result<bool> SqliteMetadataStore::DropSomeOf(TopicId topic, std::int64_t now_ms) {
  std::vector<SegmentRow> page;
  {
    MR_ASSIGN_OR_RETURN(SqliteStatement some,
                        database_->Prepare("SELECT * FROM segments WHERE topic = ? ORDER BY partition, base LIMIT ?"));
    some.Bind(topic.value()).Bind(static_cast<std::int64_t>(kSegmentsAtOnce));
    for (;;) {
      MR_ASSIGN_OR_RETURN(const bool found, some.Step());
      if (!found) break;
      MR_ASSIGN_OR_RETURN(const SegmentRow row, ReadSegmentRow(*database_, some));
      page.push_back(row);
    }
  }
  for (const SegmentRow& segment : page) MR_TRY(DropSegment(segment, now_ms));
  return page.size() == kSegmentsAtOnce;
}

Result<std::vector<TopicRow>> SqliteMetadataStore::Topics() {
  MutexLock lock(mutex_);
  MR_ASSIGN_OR_RETURN(SqliteStatement all, database_->Prepare("SELECT * FROM topics ORDER BY id"));
  std::vector<TopicRow> rows;
  for (;;) {
    MR_ASSIGN_OR_RETURN(const bool more, all.Step());
    if (!more) return rows;
    MR_ASSIGN_OR_RETURN(TopicRow row, ReadTopicRow(*database_, all));
    rows.push_back(std::move(row));
  }
}

// Partitions.

Result<PartitionRow> SqliteMetadataStore::GetPartition(const PartitionKey& partition) {
  MR_ASSIGN_OR_RETURN(SqliteStatement find,
                      database_->Prepare("SELECT * FROM partitions WHERE topic = ? AND partition = ?"));
  find.Bind(partition.topic.value()).Bind(std::int64_t{partition.partition.value()});
  MR_ASSIGN_OR_RETURN(const bool found, find.Step());
  if (!found) return PartitionNotFound(partition);
  return ReadPartitionRow(*database_, find);
}

Result<void> SqliteMetadataStore::PutPartition(const PartitionRow& row) {
  MR_ASSIGN_OR_RETURN(SqliteStatement put, database_->Prepare("REPLACE INTO partitions VALUES (?,?,?,?,?,?,?,?)"));
  Bind(put, row);
  return put.Run();
}

Result<std::vector<PartitionRow>> SqliteMetadataStore::Partitions(TopicId topic) {
  MutexLock lock(mutex_);
  MR_ASSIGN_OR_RETURN(const std::optional<TopicRow> row, FindTopic(topic));
  if (!row) return TopicNotFound(topic);
  MR_ASSIGN_OR_RETURN(SqliteStatement all,
                      database_->Prepare("SELECT * FROM partitions WHERE topic = ? ORDER BY partition"));
  all.Bind(topic.value());
  std::vector<PartitionRow> rows;
  for (;;) {
    MR_ASSIGN_OR_RETURN(const bool more, all.Step());
    if (!more) break;
    MR_ASSIGN_OR_RETURN(const PartitionRow partition, ReadPartitionRow(*database_, all));
    rows.push_back(partition);
  }
  if (rows.size() != static_cast<std::size_t>(row->options.partitions)) {
    return Error(ErrorCode::kCorruption,
                 fmt::format("metadata: {}: topic {} has {} partition rows instead of {}", database_->path().string(),
                             topic.value(), rows.size(), row->options.partitions));
  }
  return rows;
}

Result<PartitionRow> SqliteMetadataStore::AcquireEpoch(const PartitionKey& partition) {
  MutexLock lock(mutex_);
  PartitionRow row;
  MR_TRY(database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    MR_ASSIGN_OR_RETURN(row, GetPartition(partition));
    row.epoch += 1;
    return PutPartition(row);
  }));
  return row;
}

Result<PartitionRow> SqliteMetadataStore::AdvanceLogStart(const PartitionKey& partition, LeaderEpoch epoch,
                                                          Offset log_start, std::int64_t now_ms) {
  for (;;) {
    MR_ASSIGN_OR_RETURN(const PartitionRow row, AdvanceSome(partition, epoch, log_start, now_ms));
    if (row.log_start >= log_start) return row;
    LetOthersIn();
  }
}

Result<PartitionRow> SqliteMetadataStore::AdvanceSome(const PartitionKey& partition, LeaderEpoch epoch,
                                                      Offset log_start, std::int64_t now_ms) {
  MutexLock lock(mutex_);
  PartitionRow row;
  MR_TRY(database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    MR_ASSIGN_OR_RETURN(row, GetPartition(partition));
    MR_TRY(CheckEpoch(row, epoch));
    MR_ASSIGN_OR_RETURN(const std::vector<SegmentRow> page, ReadSegments(partition, Offset(0), kSegmentsAtOnce));
    const bool planted = Planted(Bug::kTierRowsLeftBehind);
    const bool reaches = planted || page.size() < kSegmentsAtOnce || page.back().end >= log_start;
    row = ApplyLogStart(row, reaches ? log_start : page.back().end);
    for (const SegmentRow& segment : page) {
      if (planted || segment.end > row.log_start) break;
      MR_TRY(DropSegment(segment, now_ms));
      row.segments -= 1;
      row.segment_bytes -= segment.byte_size;
    }
    return PutPartition(row);
  }));
  return row;
}

Result<void> SqliteMetadataStore::DropSegment(const SegmentRow& segment, std::int64_t now_ms) {
  {
    MR_ASSIGN_OR_RETURN(SqliteStatement remove,
                        database_->Prepare("DELETE FROM segments WHERE topic = ? AND partition = ? AND base = ?"));
    remove.Bind(segment.partition.topic.value()).Bind(std::int64_t{segment.partition.partition.value()});
    MR_TRY(remove.Bind(segment.base.value()).Run());
  }
  if (segment.is_gap()) return {};
  MR_ASSIGN_OR_RETURN(const bool referred, IsReferred(segment.object));
  if (referred) return {};
  MR_ASSIGN_OR_RETURN(std::optional<ObjectRow> object, GetObject(segment.object));
  if (!object) {
    return Error(ErrorCode::kCorruption,
                 fmt::format("metadata: {}: object {} of a segment of {} is missing", database_->path().string(),
                             ObjectIdText(segment.object), PartitionText(segment.partition)));
  }
  object->state = ObjectState::kDeleting;
  object->changed_ms = now_ms;
  return PutObject(*object);
}

// Objects.

Result<std::optional<ObjectRow>> SqliteMetadataStore::GetObject(const ObjectId& id) {
  MR_ASSIGN_OR_RETURN(SqliteStatement find, database_->Prepare("SELECT * FROM objects WHERE id = ?"));
  find.Bind(IdBytes(id));
  MR_ASSIGN_OR_RETURN(const bool found, find.Step());
  if (!found) return std::optional<ObjectRow>();
  MR_ASSIGN_OR_RETURN(ObjectRow row, ReadObjectRow(*database_, find));
  return std::optional(std::move(row));
}

Result<void> SqliteMetadataStore::PutObject(const ObjectRow& row) {
  MR_ASSIGN_OR_RETURN(SqliteStatement put, database_->Prepare("REPLACE INTO objects VALUES (?,?,?,?,?,?)"));
  Bind(put, row);
  return put.Run();
}

Result<bool> SqliteMetadataStore::IsReferred(const ObjectId& id) {
  MR_ASSIGN_OR_RETURN(SqliteStatement find, database_->Prepare("SELECT 1 FROM segments WHERE object = ? LIMIT 1"));
  return find.Bind(IdBytes(id)).Step();
}

Result<void> SqliteMetadataStore::PrepareObject(const ObjectRow& object) {
  MutexLock lock(mutex_);
  return database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    MR_ASSIGN_OR_RETURN(const std::optional<ObjectRow> present, GetObject(object.id));
    if (present && present->key != object.key) {
      return Error(ErrorCode::kAlreadyExists,
                   fmt::format("metadata: object {} is prepared under another key", ObjectIdText(object.id)));
    }
    if (present) return {};
    ObjectRow row = object;
    row.state = ObjectState::kPrepared;
    return PutObject(row);
  });
}

Result<void> SqliteMetadataStore::CommitPrepared(const ObjectRow& object, std::span<const SegmentCommit> segments) {
  for (const SegmentCommit& commit : segments) {
    MR_ASSIGN_OR_RETURN(const PartitionRow before, GetPartition(commit.segment.partition));
    MR_ASSIGN_OR_RETURN(const PartitionRow after, ApplyCommit(before, commit));
    MR_TRY(PutPartition(after));
    MR_ASSIGN_OR_RETURN(SqliteStatement put,
                        database_->Prepare("REPLACE INTO segments VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"));
    Bind(put, commit.segment);
    MR_TRY(put.Run());
  }
  if (OnlyGaps(segments)) return {};
  ObjectRow row = object;
  row.state = ObjectState::kCommitted;
  return PutObject(row);
}

/// Gaps name no object that would tell a second commit from the first; their rows do.
Result<bool> SqliteMetadataStore::HasGaps(std::span<const SegmentCommit> gaps) {
  for (const SegmentCommit& commit : gaps) {
    const SegmentRow& gap = commit.segment;
    MR_ASSIGN_OR_RETURN(const std::vector<SegmentRow> found, ReadSegments(gap.partition, gap.base, 1));
    if (found.empty() || !found[0].is_gap() || found[0].base != gap.base || found[0].end != gap.end) return false;
  }
  return true;
}

Result<std::vector<PartitionRow>> SqliteMetadataStore::CommitSegments(const ObjectRow& object,
                                                                      std::span<const SegmentCommit> segments) {
  MR_TRY(CheckCommit(object, segments));
  MutexLock lock(mutex_);
  std::vector<PartitionRow> rows;
  MR_TRY(database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    rows.clear();
    if (OnlyGaps(segments)) {
      MR_ASSIGN_OR_RETURN(const bool done, HasGaps(segments));
      if (!done) MR_TRY(CommitPrepared(object, segments));
    } else {
      MR_ASSIGN_OR_RETURN(const std::optional<ObjectRow> present, GetObject(object.id));
      if (!present) return ObjectNotPrepared(object.id, "was not prepared");
      if (present->state == ObjectState::kDeleting) return ObjectNotPrepared(object.id, "was given up");
      if (present->state == ObjectState::kPrepared) {
        ObjectRow row = object;
        row.key = present->key;
        MR_TRY(CommitPrepared(row, segments));
      }
    }
    for (const SegmentCommit& commit : segments) {
      auto row = GetPartition(commit.segment.partition);
      if (row) {
        rows.push_back(*row);
      } else if (row.error().code() != ErrorCode::kNotFound) {
        return row.error();
      }
    }
    return {};
  }));
  return rows;
}

Result<std::vector<ObjectRow>> SqliteMetadataStore::ObjectsIn(ObjectState state, std::int64_t changed_before_ms,
                                                              std::size_t max) {
  MutexLock lock(mutex_);
  // A look for what is to be deleted goes on with a removal of a topic that a crash or a failure interrupted.
  if (state == ObjectState::kDeleting) {
    if (auto moved = RemoveSome(); !moved && moved.error().code() == ErrorCode::kCorruption) return moved.error();
  }
  MR_ASSIGN_OR_RETURN(SqliteStatement all, database_->Prepare("SELECT * FROM objects WHERE state = ? AND changed_ms < ?"
                                                              " ORDER BY changed_ms, id LIMIT ?"));
  all.Bind(static_cast<std::int64_t>(state)).Bind(changed_before_ms);
  all.Bind(static_cast<std::int64_t>(std::min<std::size_t>(max, std::numeric_limits<std::int64_t>::max())));
  std::vector<ObjectRow> rows;
  for (;;) {
    MR_ASSIGN_OR_RETURN(const bool more, all.Step());
    if (!more) return rows;
    MR_ASSIGN_OR_RETURN(ObjectRow row, ReadObjectRow(*database_, all));
    rows.push_back(std::move(row));
  }
}

Result<void> SqliteMetadataStore::AbandonObject(const ObjectId& id, std::int64_t now_ms) {
  MutexLock lock(mutex_);
  return database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    MR_ASSIGN_OR_RETURN(std::optional<ObjectRow> row, GetObject(id));
    if (!row) return ObjectNotPrepared(id, "was not prepared");
    if (row->state == ObjectState::kCommitted) {
      return Error(ErrorCode::kAlreadyExists, fmt::format("metadata: object {} is committed", ObjectIdText(id)));
    }
    if (row->state == ObjectState::kDeleting) return {};
    row->state = ObjectState::kDeleting;
    row->changed_ms = now_ms;
    return PutObject(*row);
  });
}

Result<void> SqliteMetadataStore::ForgetObject(const ObjectId& id) {
  MutexLock lock(mutex_);
  return database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    MR_ASSIGN_OR_RETURN(const std::optional<ObjectRow> row, GetObject(id));
    if (!row) return {};
    MR_ASSIGN_OR_RETURN(const bool referred, IsReferred(id));
    if (referred) {
      return Error(ErrorCode::kInternal, fmt::format("metadata: object {} still holds segments", ObjectIdText(id)));
    }
    if (row->state != ObjectState::kDeleting) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("metadata: object {} is not given up", ObjectIdText(id)));
    }
    MR_ASSIGN_OR_RETURN(SqliteStatement remove, database_->Prepare("DELETE FROM objects WHERE id = ?"));
    return remove.Bind(IdBytes(id)).Run();
  });
}

Result<std::optional<ObjectRow>> SqliteMetadataStore::FindObject(const ObjectId& id) {
  MutexLock lock(mutex_);
  return GetObject(id);
}

// Segments.

Result<std::vector<SegmentRow>> SqliteMetadataStore::ReadSegments(const PartitionKey& partition, Offset from,
                                                                  std::size_t max) {
  // Only the last segment that begins at or below `from` can hold it; the rest follow in the order of the key.
  MR_ASSIGN_OR_RETURN(
      SqliteStatement page,
      database_->Prepare("SELECT * FROM segments WHERE topic = ?1 AND partition = ?2 AND base >= coalesce("
                         "(SELECT max(base) FROM segments WHERE topic = ?1 AND partition = ?2 AND "
                         "base <= ?3), 0) AND end > ?3 ORDER BY base LIMIT ?4"));
  page.Bind(partition.topic.value()).Bind(std::int64_t{partition.partition.value()}).Bind(from.value());
  page.Bind(static_cast<std::int64_t>(std::min<std::size_t>(max, std::numeric_limits<std::int64_t>::max())));
  std::vector<SegmentRow> rows;
  for (;;) {
    MR_ASSIGN_OR_RETURN(const bool more, page.Step());
    if (!more) return rows;
    MR_ASSIGN_OR_RETURN(const SegmentRow row, ReadSegmentRow(*database_, page));
    rows.push_back(row);
  }
}

Result<std::vector<SegmentRow>> SqliteMetadataStore::Segments(const PartitionKey& partition, Offset from,
                                                              std::size_t max) {
  if (max == 0) return Error(ErrorCode::kInvalidArgument, "a page of segments holds at least one");
  MutexLock lock(mutex_);
  MR_ASSIGN_OR_RETURN(const PartitionRow row, GetPartition(partition));
  MR_ASSIGN_OR_RETURN(std::vector<SegmentRow> rows, ReadSegments(partition, from, max));
  MR_TRY(CheckSegments(row, from, max, rows));
  return rows;
}

// Positions.

Result<void> SqliteMetadataStore::CommitPositions(std::span<const PositionRow> positions) {
  MutexLock lock(mutex_);
  if (positions.empty()) {
    MR_TRY(database_->QueryInteger("SELECT 1"));
    return {};
  }
  return database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    for (const PositionRow& position : positions) {
      MR_TRY(GetPartition(position.key.partition));
      MR_ASSIGN_OR_RETURN(SqliteStatement put, database_->Prepare("REPLACE INTO positions VALUES (?,?,?,?,?)"));
      Bind(put, position);
      MR_TRY(put.Run());
    }
    return {};
  });
}

Result<std::vector<PositionRow>> SqliteMetadataStore::Positions(std::string_view group) {
  MutexLock lock(mutex_);
  MR_ASSIGN_OR_RETURN(SqliteStatement all,
                      database_->Prepare("SELECT * FROM positions WHERE group_name = ? ORDER BY topic, partition"));
  all.Bind(AsBytes(group));
  std::vector<PositionRow> rows;
  for (;;) {
    MR_ASSIGN_OR_RETURN(const bool more, all.Step());
    if (!more) return rows;
    MR_ASSIGN_OR_RETURN(PositionRow row, ReadPositionRow(*database_, all));
    rows.push_back(std::move(row));
  }
}

Result<std::vector<std::string>> SqliteMetadataStore::Groups() {
  MutexLock lock(mutex_);
  MR_ASSIGN_OR_RETURN(SqliteStatement all,
                      database_->Prepare("SELECT DISTINCT group_name FROM positions ORDER BY group_name"));
  std::vector<std::string> groups;
  for (;;) {
    MR_ASSIGN_OR_RETURN(const bool more, all.Step());
    if (!more) return groups;
    groups.emplace_back(AsText(all.Blob(0)));
  }
}

Result<void> SqliteMetadataStore::DeleteGroup(std::string_view group) {
  MutexLock lock(mutex_);
  return database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    MR_ASSIGN_OR_RETURN(SqliteStatement remove, database_->Prepare("DELETE FROM positions WHERE group_name = ?"));
    return remove.Bind(AsBytes(group)).Run();
  });
}

}  // namespace millrace
