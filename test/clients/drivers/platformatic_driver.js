// @platformatic/kafka, which speaks flexible versions alone. See ../README.md for what a driver is asked and answers.
const { Admin, Producer } = require('@platformatic/kafka');
const { pairOf, readRecords, sayError, sayReceipt } = require('./node_lines.js');

const [verb, broker, ...rest] = process.argv.slice(2);
const common = { clientId: 'driver', bootstrapBrokers: [broker], retries: 3, retryDelay: 100 };

/** Errors are trees: the code of the answer is in a leaf. */
function codeOf(error) {
  if (typeof error.apiCode === 'number') return error.apiCode;
  for (const inner of [...(error.errors ?? []), error.cause].filter(Boolean)) {
    const code = codeOf(inner);
    if (typeof code === 'number') return code;
  }
  return error.message;
}

async function withAdmin(work) {
  const admin = new Admin(common);
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

async function withProducer(codec, work) {
  const producer = new Producer({ ...common, acks: -1, compression: codec, autocreateTopics: false });
  try {
    return await work(producer);
  } finally {
    await producer.close();
  }
}

const messageOf = (topic, record) => ({
  topic,
  partition: record.partition,
  timestamp: BigInt(record.timestamp),
  key: record.key ?? undefined,
  value: record.value ?? undefined,
  headers: new Map(record.headers),
});

const verbs = {
  create: (topic, partitions, ...configs) => withAdmin(async (admin) => {
    const pairs = configs.map(pairOf).map(([name, value]) => ({ name, value }));
    await admin.createTopics({ topics: [topic], partitions: Number(partitions), replicas: 1, configs: pairs });
  }),
  describe: (topic) => withAdmin(async (admin) => {
    const metadata = await admin.metadata({ topics: [topic] });
    const [described] = await admin.describeConfigs({ resources: [{ resourceType: 2, resourceName: topic }] });
    console.log(metadata.topics.get(topic).partitionsCount);
    for (const entry of described.configs) console.log(`${entry.name}=${entry.value}`);
  }),
  list: () => withAdmin(async (admin) => (await admin.listTopics()).forEach((topic) => console.log(topic))),
  produce: (topic, codec) => withProducer(codec, async (producer) => {
    for (const record of readRecords()) {
      try {
        const { offsets } = await producer.send({ messages: [messageOf(topic, record)] });
        sayReceipt(offsets[0].partition, offsets[0].offset);
      } catch (error) {
        sayError(codeOf(error));
      }
    }
  }),
  bulk: (topic, codec, count, size) => withProducer(codec, async (producer) => {
    let acked = 0;
    for (let at = 0; at < count; at += 1000) {
      const messages = [];
      for (let i = at; i < Math.min(at + 1000, count); ++i)
        messages.push({ topic, key: Buffer.from(String(i)), value: Buffer.from(`${i} `.padEnd(size, 'v')) });
      await producer.send({ messages });
      acked += messages.length;
    }
    console.log(acked);
  }),
  offsets: (topic, partition, ...times) => withAdmin(async (admin) => {
    for (const time of times) {
      const partitions = [{ partitionIndex: Number(partition), timestamp: BigInt(time) }];
      const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
      sayReceipt(listed.partitions[0].offset, listed.partitions[0].timestamp);
    }
  }),
};

verbs[verb](...rest).catch((error) => sayError(codeOf(error)));
