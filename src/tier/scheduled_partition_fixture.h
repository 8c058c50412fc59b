// A partition for tests of the upload schedule alone: its log is that of a fixture, and it keeps no segments.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>

#include "log/log_fixture.h"
#include "tier/tiered_partition.h"
#include "tier/upload_schedule.h"

namespace millrace {

class ScheduledPartition final : public TieredPartition {
 public:
  PartitionLog& log() override { return *fixture_.log; }
  PartitionUpload& upload() override { return upload_; }
  [[nodiscard]] TopicOptions options() const override { return {}; }
  [[nodiscard]] SegmentTotals totals() const override { return {}; }
  void OnSegment(const SegmentRow&) override {}
  void OnRow(const PartitionRow&) override {}
  FakeWal& wal() { return fixture_.wal; }
  void Append(UploadSchedule& schedule, std::size_t bytes) {
    fixture_.Append(1, bytes);
    ASSERT_TRUE(log().Sync({}));
    schedule.OnAppend(upload_, bytes);
  }

 private:
  LogFixture fixture_;
  PartitionUpload upload_{*this};
};

}  // namespace millrace
