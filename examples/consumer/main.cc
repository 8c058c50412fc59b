// A program outside the tree, against an installed Millrace: makes a topic, appends, reads back, consumes as a group.
//
//   cmake -B build -DCMAKE_PREFIX_PATH=PREFIX && cmake --build build && build/consumer DIR
//   c++ -std=c++23 main.cc $(PKG_CONFIG_PATH=PREFIX/lib/pkgconfig pkg-config --cflags --libs millrace) -o consumer
#include <millrace/millrace.h>

#include <array>
#include <iostream>

using namespace millrace;

namespace {

Result<void> Run(const char* directory) {
  auto engine = Engine::Open({.data_dir = directory});
  if (!engine) return engine.error();
  const TopicPartition orders{"orders", PartitionId(0)};
  if (auto made = (*engine)->CreateTopic("orders"); !made && made.error().code() != ErrorCode::kAlreadyExists) {
    return made.error();
  }

  const std::array<Record, 3> batch = {Record{.key = "anna", .value = "two lamps"},
                                       Record{.key = "ben", .value = "a chair"},
                                       Record{.key = "anna", .value = std::nullopt, .headers = {{"why", "cancelled"}}}};
  auto receipt = (*engine)->Append(orders, batch, {.durability = Durability::kDisk});
  if (!receipt) return receipt.error();
  std::cout << "appended [" << receipt->base_offset.value() << ", " << receipt->last_offset.value() << "]\n";

  auto read = (*engine)->Read(orders, receipt->base_offset);
  if (!read) return read.error();
  for (const RecordView& record : read->records) {
    std::cout << "read " << record.offset.value() << " " << record.key.value_or("-") << ": "
              << record.value.value_or("(null)") << "\n";
  }

  auto consumer = (*engine)->OpenConsumer({.group = "shipping", .topics = {"orders"}});
  if (!consumer) return consumer.error();
  auto records = (*consumer)->Poll(2);
  if (!records) return records.error();
  std::cout << "shipping got " << records->size() << "\n";
  if (auto committed = (*consumer)->Commit(); !committed) return committed;
  if (auto closed = (*consumer)->Close(); !closed) return closed;
  return (*engine)->Close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: consumer DIR\n";
    return 2;
  }
  if (auto done = Run(argv[1]); !done) {
    std::cerr << done.error().ToString() << "\n";
    return 1;
  }
  return 0;
}
