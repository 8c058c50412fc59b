#include "bench/groups_rows/groups_rows.h"
#include "bench/wire/contenders.h"
#include "bench/wire/wire.h"

namespace millrace::bench {

std::unique_ptr<ServerProcess> ServeGroups(const Suite& suite, std::string_view name, std::int32_t partitions) {
  auto server = ServeMillrace(suite.FreshDirectory(name) / "data",
                              {"--set", "server.group_initial_delay=0s", "--set", "server.connections_max=100000",
                               "--set", "server.connections_per_address_max=100000"});
  MakeTopic(server->port(), kTopic, partitions);
  return server;
}

}  // namespace millrace::bench
