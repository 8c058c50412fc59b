// The floor: the least that a server with synced acknowledgements costs here. The same turn as the log's server (read
// all that has come, one direct overwrite of as many bytes, one sync, all answers), and no log: no check, no offsets.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace millrace::bench {

/// Answers every request on `port` as a Produce to `topic` that went well. Does not return.
void ServeFloor(std::uint16_t port, const std::filesystem::path& file, std::string_view topic);

}  // namespace millrace::bench
