// The wire: `millrace serve` as a process of its own, beside a floor without any log and beside Apache Kafka. Requests
// are frames made beforehand and answers are checked at fixed places, by one thread on a core of its own.
#include "bench/kafka_rows/kafka_rows.h"
#include "bench/wire/contenders.h"

using namespace millrace::bench;

int main(int argc, char** argv) {
  Suite suite("kafka", argc, argv);
  PinGenerator();
  {
    const auto kafka = ServeKafka(suite);
    ProduceRows(suite, kafka.get());
  }
  ConsumeRows(suite);
  DeliveryRows(suite);
  ScaleRows(suite);
  return 0;
}
