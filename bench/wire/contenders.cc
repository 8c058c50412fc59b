#include "bench/wire/contenders.h"

#include <fmt/core.h>

#include <cstdlib>
#include <fstream>

#include "bench/wire/floor_server.h"

namespace millrace::bench {

std::unique_ptr<ServerProcess> ServeMillrace(const std::filesystem::path& data, const std::vector<std::string>& flags) {
  const auto binary =
      std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().parent_path() / "bin/millrace";
  const std::uint16_t port = FreePort();
  std::vector<std::string> command = {binary,        "serve",    "--data-dir",
                                      data.string(), "--listen", fmt::format("127.0.0.1:{}", port)};
  command.insert(command.end(), flags.begin(), flags.end());
  return std::make_unique<ServerProcess>(command, port, data.string() + ".log");
}

std::unique_ptr<ServerProcess> ServeTheFloor(const Suite& suite, std::string_view topic) {
  const std::uint16_t port = FreePort();
  const auto file = suite.FreshDirectory("floor") / "file";
  return std::make_unique<ServerProcess>([=, name = std::string(topic)] { ServeFloor(port, file, name); }, port);
}

std::unique_ptr<ServerProcess> ServeKafka(const Suite& suite) {
  if (suite.kafka().empty()) return nullptr;
  const auto directory = std::filesystem::absolute(suite.FreshDirectory("apache-kafka"));
  const auto settings = directory / "server.properties";
  const std::uint16_t port = FreePort(), controller = FreePort();
  std::ofstream(settings) << fmt::format(
      "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@localhost:{1}\n"
      "listeners=PLAINTEXT://localhost:{0},CONTROLLER://localhost:{1}\ncontroller.listener.names=CONTROLLER\n"
      "log.dirs={2}/data\nauto.create.topics.enable=false\noffsets.topic.replication.factor=1\n",
      port, controller, directory.string());
  const std::string jars = suite.kafka().string() + "/*";
  const std::string format = fmt::format(
      "java -Xmx512m -cp '{}' kafka.tools.StorageTool format -t 4L6g3nShT-eMCtK--X86sw -c '{}' >'{}/format.log' 2>&1",
      jars, settings.string(), directory.string());
  if (std::system(format.c_str()) != 0) Die("Apache Kafka cannot format its directory");
  return std::make_unique<ServerProcess>(
      std::vector<std::string>{"java", "-Xms1g", "-Xmx1g", "-cp", jars, "kafka.Kafka", settings}, port,
      directory / "log");
}

}  // namespace millrace::bench
