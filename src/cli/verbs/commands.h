// The commands, each made in a file of its own: `topic create` in topic_create.cc.
#pragma once

#include "cli/parse/command.h"

namespace millrace {

Command ServeCommand();
Command DevCommand();
Command ProduceCommand();
Command ConsumeCommand();
Command TailCommand();
Command TopicCreateCommand();
Command TopicListCommand();
Command TopicDescribeCommand();
Command TopicAlterCommand();
Command TopicAddPartitionsCommand();
Command TopicTrimCommand();
Command TopicRemoveCommand();
Command GroupListCommand();
Command GroupDescribeCommand();
Command GroupLagCommand();
Command GroupSeekCommand();
Command GroupRemoveCommand();
Command CursorListCommand();
Command CursorReadCommand();
Command CursorPeekCommand();
Command CursorSeekCommand();
Command CursorRemoveCommand();
Command SegmentListCommand();
Command SegmentUploadCommand();
Command SegmentVerifyCommand();
Command SegmentCatCommand();
Command WalListCommand();
Command WalVerifyCommand();
Command WalRecycleCommand();
Command InspectCommand();
Command StoreInfoCommand();
Command StoreUsageCommand();
Command StoreAuditCommand();
Command StoreRestoreCommand();
Command StoreTakeoverCommand();
Command StoreAdoptCommand();
Command StoreReleaseCommand();
Command StoreMoveCommand();
Command StoreGcCommand();
Command MaintainCommand();
Command StatusCommand();
Command DoctorCommand();
Command BenchCommand();
Command ConfigShowCommand();
Command CompletionCommand();
Command HelpCommand();
Command VersionCommand();

}  // namespace millrace
