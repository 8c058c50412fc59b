import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.*;

/** Kafka's own client. See ../README.md for what a driver is asked and answers. */
public class KafkaClientsDriver {
  private static final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
  private static Map<String, Object> common;

  public static void main(String[] words) throws Exception {
    common = new HashMap<>(Map.of("bootstrap.servers", words[1]));
    List<String> rest = List.of(words).subList(2, words.length);
    switch (words[0]) {
      case "create" -> create(rest.get(0), Integer.parseInt(rest.get(1)), rest.subList(2, rest.size()));
      case "describe" -> describe(rest.get(0));
      case "list" -> list();
      case "produce" -> produce(rest.get(0), rest.get(1));
      case "bulk" -> bulk(rest.get(0), rest.get(1), Integer.parseInt(rest.get(2)), Integer.parseInt(rest.get(3)));
      case "idempotent" -> idempotent(rest.get(0), Integer.parseInt(rest.get(1)));
      case "consume" -> consume(rest.get(0));
      case "group" -> group(rest.get(0), rest.get(1), rest.get(2));
      case "offsets" -> offsets(rest.get(0), Integer.parseInt(rest.get(1)), rest.subList(2, rest.size()));
      default -> throw new IllegalArgumentException(words[0]);
    }
    out.flush();
    System.exit(0);  // threads of clients that met an error
  }

  private static void sayError(Throwable error) {
    Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
    out.println("error\t" + Errors.forException(cause).code());
  }

  private static byte[] decode(String text) {
    return text.equals("~") ? null : Base64.getDecoder().decode(text);
  }

  private static String encode(byte[] content) {
    return content == null ? "~" : Base64.getEncoder().encodeToString(content);
  }

  private static void create(String topic, int partitions, List<String> configs) throws Exception {
    Map<String, String> settings = new HashMap<>();
    for (String config : configs) settings.put(config.substring(0, config.indexOf('=')), config.substring(config.indexOf('=') + 1));
    try (Admin admin = Admin.create(common)) {
      admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(settings))).all().get();
    } catch (ExecutionException error) {
      sayError(error);
    }
  }

  private static void describe(String topic) throws Exception {
    try (Admin admin = Admin.create(common)) {
      out.println(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size());
      ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries())
        out.println(entry.name() + "=" + entry.value());
    } catch (ExecutionException error) {
      sayError(error);
    }
  }

  private static void list() throws Exception {
    try (Admin admin = Admin.create(common)) {
      for (String topic : admin.listTopics().names().get()) out.println(topic);
    }
  }

  private static KafkaProducer<byte[], byte[]> producerOf(String codec) {
    Map<String, Object> settings = new HashMap<>(common);
    settings.putAll(Map.of("acks", "all", "compression.type", codec, "enable.idempotence", false, "linger.ms", 20,
                           "max.request.size", 20_000_000, "buffer.memory", 200_000_000L, "max.block.ms", 5_000));
    return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private static void produce(String topic, String codec) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    List<Future<RecordMetadata>> answers = new ArrayList<>();
    try (KafkaProducer<byte[], byte[]> producer = producerOf(codec)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] parts = line.split("\t", -1);
        List<Header> headers = new ArrayList<>();
        for (String pair : parts[4].split(";")) {
          if (pair.isEmpty()) continue;
          String[] sides = pair.split(":", -1);
          headers.add(new RecordHeader(new String(decode(sides[0]), StandardCharsets.UTF_8), decode(sides[1])));
        }
        Integer partition = parts[0].equals("-") ? null : Integer.valueOf(parts[0]);
        answers.add(producer.send(
            new ProducerRecord<>(topic, partition, Long.valueOf(parts[1]), decode(parts[2]), decode(parts[3]), headers)));
      }
    }
    for (Future<RecordMetadata> answer : answers) {
      try {
        out.println(answer.get().partition() + "\t" + answer.get().offset());
      } catch (ExecutionException error) {
        sayError(error);
      }
    }
  }

  private static void bulk(String topic, String codec, int count, int size) {
    AtomicLong acked = new AtomicLong();
    try (KafkaProducer<byte[], byte[]> producer = producerOf(codec)) {
      for (int i = 0; i < count; ++i) {
        producer.send(new ProducerRecord<>(topic, Integer.toString(i).getBytes(StandardCharsets.UTF_8), valueOf(i, size)),
                      (receipt, error) -> acked.addAndGet(error == null ? 1 : 0));
      }
    }
    out.println(acked.get());
  }

  private static final int IN_FLIGHT = 1_000;  // records without an answer

  private static void idempotent(String topic, int size) throws Exception {
    Map<String, Object> settings = new HashMap<>(common);
    settings.putAll(Map.of("acks", "all", "enable.idempotence", true, "linger.ms", 5, "request.timeout.ms", 5_000,
                           "delivery.timeout.ms", 120_000, "reconnect.backoff.max.ms", 500, "retry.backoff.max.ms", 200));
    AtomicBoolean ended = inputEnd();
    AtomicLong acked = new AtomicLong();
    Semaphore room = new Semaphore(IN_FLIGHT);
    int sent = 0;
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (; !ended.get(); ++sent) {
        room.acquire();
        producer.send(new ProducerRecord<>(topic, Integer.toString(sent).getBytes(StandardCharsets.UTF_8), valueOf(sent, size)), (receipt, error) -> {
          if (error != null) {
            say("error", Errors.forException(error).code(), error);
          } else if (acked.incrementAndGet() % 100 == 0) {
            say("acked", acked);
          }
          room.release();
        });
      }
    }
    say("acked", acked);
    say("sent", sent);
  }

  private static byte[] valueOf(int number, int size) {
    byte[] value = new byte[size], head = (number + " ").getBytes(StandardCharsets.UTF_8);
    Arrays.fill(value, (byte) 'v');
    System.arraycopy(head, 0, value, 0, head.length);
    return value;
  }

  private static KafkaConsumer<byte[], byte[]> consumer() {
    Map<String, Object> settings = new HashMap<>(common);
    settings.put("auto.offset.reset", "none");
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private static void consume(String topic) {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
      List<TopicPartition> places = new ArrayList<>();
      consumer.partitionsFor(topic).forEach(info -> places.add(new TopicPartition(topic, info.partition())));
      Map<TopicPartition, Long> begins = consumer.beginningOffsets(places), ends = consumer.endOffsets(places);
      Set<TopicPartition> left = new HashSet<>(places);
      left.removeIf(place -> begins.get(place) >= ends.get(place));
      consumer.assign(left);
      left.forEach(place -> consumer.seek(place, begins.get(place)));
      while (!left.isEmpty()) {
        ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofSeconds(30));
        if (polled.isEmpty()) throw new IllegalStateException("nothing came for 30 s");
        for (ConsumerRecord<byte[], byte[]> record : polled) {
          StringJoiner headers = new StringJoiner(";");
          for (Header header : record.headers())
            headers.add(encode(header.key().getBytes(StandardCharsets.UTF_8)) + ":" + encode(header.value()));
          out.println(record.partition() + "\t" + record.offset() + "\t" + record.timestamp() + "\t" + encode(record.key()) + "\t" +
                      encode(record.value()) + "\t" + headers);
        }
        left.removeIf(place -> consumer.position(place) >= ends.get(place));
      }
    }
  }

  private static void say(Object... words) {
    StringJoiner line = new StringJoiner("\t");
    for (Object word : words) line.add(word.toString());
    out.println(line);
    out.flush();
  }

  private static AtomicBoolean inputEnd() {
    AtomicBoolean ended = new AtomicBoolean();
    Thread reader = new Thread(() -> {
      try {
        while (System.in.read() >= 0) {}
      } catch (IOException error) {
        // It has ended all the same.
      }
      ended.set(true);
    });
    reader.setDaemon(true);
    reader.start();
    return ended;
  }

  private static void group(String topic, String name, String instance) {
    Map<String, Object> settings = new HashMap<>(common);
    settings.putAll(Map.of("group.id", name, "enable.auto.commit", false, "auto.offset.reset", "earliest", "session.timeout.ms", 6_000,
                           "heartbeat.interval.ms", 500, "partition.assignment.strategy", RangeAssignor.class.getName()));
    if (!instance.equals("-")) settings.putAll(Map.of("group.instance.id", instance, "session.timeout.ms", 30_000));
    AtomicBoolean ended = inputEnd();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
        public void onPartitionsRevoked(Collection<TopicPartition> places) {}
        public void onPartitionsAssigned(Collection<TopicPartition> places) {
          StringJoiner numbers = new StringJoiner(",");
          places.stream().map(TopicPartition::partition).sorted().forEach(partition -> numbers.add(partition.toString()));
          say("assigned", numbers);
        }
      });
      while (!ended.get()) {
        ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofMillis(200));
        for (ConsumerRecord<byte[], byte[]> record : polled) say("record", record.partition(), record.offset(), encode(record.key()));
        if (polled.isEmpty()) continue;
        try {
          consumer.commitSync();
          say("committed");
        } catch (CommitFailedException | RebalanceInProgressException error) {
          // Another has these partitions now.
        }
      }
    }
  }

  private static void offsets(String topic, int partition, List<String> times) throws Exception {
    TopicPartition place = new TopicPartition(topic, partition);
    try (Admin admin = Admin.create(common)) {
      for (String text : times) {
        long time = Long.parseLong(text);
        OffsetSpec spec = time == -1 ? OffsetSpec.latest()
            : time == -2 ? OffsetSpec.earliest()
            : time == -3 ? OffsetSpec.maxTimestamp() : OffsetSpec.forTimestamp(time);
        var found = admin.listOffsets(Map.of(place, spec)).partitionResult(place).get();
        out.println(found.offset() + "\t" + found.timestamp());
      }
    }
  }
}
