// kafkajs, which speaks non-flexible versions alone. See ../README.md for what a driver is asked and answers.
const zlib = require('node:zlib');
const { lz4Compress, lz4Decompress } = require('@platformatic/wasm-utils');
const { AssignerProtocol, Kafka, CompressionTypes, CompressionCodecs, logLevel, Partitioners } = require('kafkajs');
const { encode, inputEnd, ownGroup, pairOf, rangesOf, readRecords, say, sayError, sayReceipt, sayRecord, sendUntilInputEnds } = require('./node_lines.js');

// The codecs that its users bring.
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async ({ buffer }) => lz4Compress(buffer),
  decompress: async (content) => lz4Decompress(content),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async ({ buffer }) => zlib.zstdCompressSync(buffer),
  decompress: async (content) => zlib.zstdDecompressSync(content),
});

const [verb, broker, ...rest] = process.argv.slice(2);
const kafka = new Kafka({ clientId: 'driver', brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 3 } });
const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD };

// Headers of one name stand together, and none is null.
function messageOf(record) {
  const headers = {};
  for (const [name, content] of record.headers) (headers[name.toString()] ??= []).push(content ?? '');
  return { ...record, headers };
}

const codeOf = (error) => error.code ?? error.errors?.[0]?.code ?? error.cause?.code ?? error.originalError?.code ?? error.type ?? error.message;

async function withAdmin(work) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

async function withProducer(work) {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    return await work(producer);
  } finally {
    await producer.disconnect();
  }
}

const rangeAssigner = ({ cluster }) => ({
  name: 'range',
  version: 0,
  async assign({ members, topics }) {
    const names = members.map(({ memberId }) => memberId);
    const given = new Map(names.map((name) => [name, {}]));
    for (const topic of topics)
      for (const [name, partitions] of rangesOf(names, cluster.findTopicPartitionMetadata(topic).length)) given.get(name)[topic] = partitions;
    return [...given].map(([memberId, assignment]) => ({
      memberId, memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment, userData: Buffer.alloc(0) }),
    }));
  },
  protocol: ({ topics }) => ({
    name: 'range', metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
  }),
});

const headersOf = (message) => Object.entries(message.headers).flatMap(([name, contents]) =>
  [].concat(contents).map((content) => [name, content]));

const verbs = {
  create: (topic, partitions, ...configs) => withAdmin(async (admin) => {
    const configEntries = configs.map(pairOf).map(([name, value]) => ({ name, value }));
    const made = await admin.createTopics({ topics: [{ topic, numPartitions: Number(partitions), replicationFactor: 1, configEntries }] });
    if (!made) sayError(36);  // that it is there already, kafkajs tells by this
  }),
  describe: (topic) => withAdmin(async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const { resources } = await admin.describeConfigs({ resources: [{ type: 2, name: topic }] });
    console.log(topics[0].partitions.length);
    for (const entry of resources[0].configEntries) console.log(`${entry.configName}=${entry.configValue}`);
  }),
  list: () => withAdmin(async (admin) => (await admin.listTopics()).forEach((topic) => console.log(topic))),
  produce: (topic, codec) => withProducer(async (producer) => {
    for (const record of readRecords()) {
      try {
        const [receipt] = await producer.send({ topic, acks: -1, compression: codecs[codec], messages: [messageOf(record)] });
        sayReceipt(receipt.partition, receipt.baseOffset);
      } catch (error) {
        sayError(codeOf(error));
      }
    }
  }),
  bulk: (topic, codec, count, size) => withProducer(async (producer) => {
    let acked = 0;
    for (let at = 0; at < count; at += 1000) {
      const messages = [];
      for (let i = at; i < Math.min(at + 1000, count); ++i) messages.push({ key: String(i), value: `${i} `.padEnd(size, 'v') });
      await producer.send({ topic, acks: -1, compression: codecs[codec], messages });
      acked += messages.length;
    }
    console.log(acked);
  }),
  idempotent: async (topic, size) => {
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true, maxInFlightRequests: 1,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 1000 } });
    await producer.connect();
    await sendUntilInputEnds(Number(size), (messages) => producer.send({ topic, acks: -1, messages }));
    await producer.disconnect();
  },
  consume: async (topic) => {
    const bounds = await withAdmin((admin) => admin.fetchTopicOffsets(topic));
    const ends = new Map(bounds.filter(({ low, high }) => BigInt(low) < BigInt(high)).map(({ partition, high }) => [partition, BigInt(high)]));
    if (ends.size === 0) return;
    const left = new Set(ends.keys());
    const consumer = kafka.consumer({ groupId: ownGroup(), maxWaitTimeInMs: 200 });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise((resolve) => consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { partition, messages } }) => {
        for (const message of messages) {
          if (BigInt(message.offset) < ends.get(partition))
            sayRecord(partition, message.offset, message.timestamp, message.key, message.value, headersOf(message));
          if (BigInt(message.offset) + 1n >= ends.get(partition)) left.delete(partition);
        }
        if (left.size === 0) resolve();
      },
    }));
    await consumer.disconnect();
  },
  group: async (topic, groupId) => {
    const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500, maxWaitTimeInMs: 200, partitionAssigners: [rangeAssigner] });
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => say('assigned', (payload.memberAssignment[topic] ?? []).sort((a, b) => a - b)));
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch, heartbeat }) => {
        for (const message of batch.messages) say('record', batch.partition, message.offset, encode(message.key));
        try {
          await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(Number(batch.lastOffset()) + 1) }]);
          say('committed');
        } catch (error) {
          if (![22, 25, 27].includes(codeOf(error))) throw error;
        }
        await heartbeat();
      },
    });
    await inputEnd();
    // A consumer that has met a lost server once may wait for itself for ever.
    setTimeout(() => process.exit(0), 10_000).unref();
    await consumer.disconnect();
  },
  offsets: (topic, partition, ...times) => withAdmin(async (admin) => {
    for (const time of times.map(Number)) {
      const found = time < 0 ? await admin.fetchTopicOffsets(topic) : await admin.fetchTopicOffsetsByTimestamp(topic, time);
      const of = found.find((each) => each.partition === Number(partition));
      console.log(`${time === -2 ? of.low : of.offset}\t-1`);
    }
  }),
};

verbs[verb](...rest).catch((error) => {
  sayError(codeOf(error));
});
