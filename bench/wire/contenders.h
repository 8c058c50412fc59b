// The servers that the rows compare: Millrace, the floor, and Apache Kafka if its jars are at hand.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/harness/suite.h"
#include "bench/wire/server_process.h"

namespace millrace::bench {

/// `millrace serve` over `data`, which is made if it is not there.
std::unique_ptr<ServerProcess> ServeMillrace(const std::filesystem::path& data,
                                             const std::vector<std::string>& flags = {});
/// A floor for the topic, its file in a fresh folder.
std::unique_ptr<ServerProcess> ServeTheFloor(const Suite& suite, std::string_view topic);
/// One node with a fresh directory and the settings of its makers, which sync nothing before they answer. None: its
/// jars were not given (--kafka).
std::unique_ptr<ServerProcess> ServeKafka(const Suite& suite);

}  // namespace millrace::bench
