// kafkajs, which speaks non-flexible versions alone. See ../README.md for what a driver is asked and answers.
const { Kafka, CompressionTypes, CompressionCodecs, logLevel, Partitioners } = require('kafkajs');
const { pairOf, readRecords, sayError, sayReceipt } = require('./node_lines.js');

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');

const [verb, broker, ...rest] = process.argv.slice(2);
const kafka = new Kafka({ clientId: 'driver', brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 3 } });
const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy };

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
