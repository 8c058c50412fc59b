// One log in two ways at once: this program appends and reads by calls, Kafka clients by the network.
//
//   cmake -B build -DCMAKE_PREFIX_PATH=PREFIX && cmake --build build && build/server DIR
//   kcat -b localhost:PORT -t talk -C -e; (echo hello; echo stop) | kcat -b localhost:PORT -t talk -P
#include <millrace/millrace.h>
#include <millrace/server.h>

#include <iostream>
#include <string_view>

using namespace millrace;

namespace {

const TopicPartition kTalk{"talk", PartitionId(0)};

Result<void> Greet(Engine& engine) {
  const auto made = engine.CreateTopic("talk");
  if (!made && made.error().code() != ErrorCode::kAlreadyExists) return made;
  const Record greeting[] = {{.key = "program", .value = "good morning"}};
  auto receipt = engine.Append(kTalk, greeting);
  return receipt ? Result<void>() : Result<void>(receipt.error());
}

/// Prints what comes, from either side, until a record says stop.
Result<void> Listen(Engine& engine) {
  auto consumer = engine.OpenConsumer({.partitions = {kTalk}});
  if (!consumer) return consumer.error();
  while (true) {
    auto poll = (*consumer)->PollViews(100, std::chrono::seconds(60));
    if (!poll) return poll.error();
    for (const ConsumedView& record : *poll) {
      const std::string_view said = record.value.value_or("(null)");
      std::cout << record.offset.value() << ": " << said << std::endl;
      if (said == "stop") return {};
    }
  }
}

Result<void> Run(const char* directory) {
  auto engine = Engine::Open({.data_dir = directory});
  if (!engine) return engine.error();
  if (auto greeted = Greet(**engine); !greeted) return greeted;
  auto server = Server::Start(**engine, {.listen = {{"localhost", 0}}});  // 0: a port that is free
  if (!server) return server.error();
  std::cout << "listening on " << (*server)->advertised().Text() << std::endl;
  auto listened = Listen(**engine);
  (*server)->Stop();  // what is in flight is finished; the engine stays open
  if (!listened) return listened;
  return (*engine)->Close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: server DIR\n";
    return 2;
  }
  if (auto done = Run(argv[1]); !done) {
    std::cerr << done.error().ToString() << "\n";
    return 1;
  }
  return 0;
}
