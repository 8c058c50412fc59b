// @platformatic/kafka, which speaks flexible versions alone. See ../README.md for what a driver is asked and answers.
const { setTimeout } = require('node:timers/promises');
const { Admin, Consumer, Producer } = require('@platformatic/kafka');
const { encode, exit, inputEnd, ownGroup, pairOf, rangesOf, readRecords, say, sayError, sayReceipt, sayRecord, sendUntilInputEnds } = require('./node_lines.js');

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

/** By partition, where it begins (time −2) or ends (−1). */
async function boundsOf(admin, topic, time) {
  const { partitionsCount } = (await admin.metadata({ topics: [topic] })).topics.get(topic);
  const asked = Array.from({ length: partitionsCount }, (_, partitionIndex) => ({ partitionIndex, timestamp: time }));
  const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions: asked }] });
  return new Map(listed.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]));
}

function rangeAssigner(_me, members, topics, metadata) {
  const given = [...members.keys()].map((memberId) => ({ memberId, assignments: new Map() }));
  for (const topic of topics) {
    const ranges = rangesOf([...members.keys()], metadata.topics.get(topic).partitionsCount);
    for (const { memberId, assignments } of given) assignments.set(topic, { topic, partitions: ranges.get(memberId) });
  }
  return given;
}

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
  idempotent: async (topic, size) => {
    const producer = new Producer({ ...common, acks: -1, idempotent: true, autocreateTopics: false, retries: 1000, retryDelay: 50 });
    await sendUntilInputEnds(Number(size), (records) => producer.send({
      messages: records.map(({ key, value }) => ({ topic, key: Buffer.from(key), value: Buffer.from(value) })),
    }));
    await producer.close();
  },
  consume: async (topic) => {
    const [begins, ends] = await withAdmin(async (admin) => [await boundsOf(admin, topic, -2n), await boundsOf(admin, topic, -1n)]);
    const left = new Map([...ends].filter(([partition, end]) => begins.get(partition) < end));
    if (left.size === 0) return;
    const consumer = new Consumer({ ...common, groupId: ownGroup() });
    const offsets = [...begins].map(([partition, offset]) => ({ topic, partition, offset }));
    const stream = await consumer.consume({ topics: [topic], mode: 'manual', offsets, autocommit: false, maxWaitTime: 200 });
    for await (const { partition, offset, timestamp, key, value, headers } of stream) {
      if (offset < ends.get(partition)) sayRecord(partition, offset, timestamp, key, value, [...headers]);
      if (offset + 1n >= left.get(partition)) left.delete(partition);
      if (left.size === 0) break;
    }
    await consumer.close(true);
  },
  group: async (topic, groupId, instance) => {
    const consumer = new Consumer({ ...common, groupId, sessionTimeout: instance === '-' ? 6000 : 30000, heartbeatInterval: 500, rebalanceTimeout: 10000,
      protocols: [{ name: 'range', version: 0 }], partitionAssigner: rangeAssigner, ...(instance === '-' ? {} : { groupInstanceId: instance }) });
    let mine = new Set();
    consumer.on('consumer:group:join', ({ assignments }) => {
      mine = new Set(assignments?.find((each) => each.topic === topic)?.partitions);
      say('assigned', [...mine].sort((a, b) => a - b));
    });
    let ended = false, came = [];
    inputEnd().then(() => { ended = true; });
    // A stream ends with its server. The next one is not to ask under the leader epoch that was.
    const read = async () => {
      while (!ended) {
        consumer.clearMetadata();
        try {
          const stream = await consumer.consume({ topics: [topic], autocommit: false, mode: 'committed', fallbackMode: 'earliest', maxWaitTime: 200 });
          stream.on('data', (message) => came.push(message));
          stream.once('error', read);
          return;
        } catch (error) {
          console.error(error.message);
          await setTimeout(200);
        }
      }
    };
    await read();
    while (!ended) {
      // What came for partitions that another has now is the other's.
      const messages = came.filter(({ partition }) => mine.has(partition));
      came = [];
      for (const { partition, offset, key } of messages) say('record', partition, offset, encode(key));
      const next = new Map(messages.map(({ partition, offset }) => [partition, offset + 1n]));
      try {
        if (next.size) {
          await consumer.commit({ offsets: [...next].map(([partition, offset]) => ({ topic, partition, offset, leaderEpoch: 0 })) });
          say('committed');
        }
      } catch {
        // Another has these partitions now, or the server is away.
      }
      await setTimeout(messages.length ? 0 : 50);
    }
    await consumer.close(true);
  },
  offsets: (topic, partition, ...times) => withAdmin(async (admin) => {
    for (const time of times) {
      const partitions = [{ partitionIndex: Number(partition), timestamp: BigInt(time) }];
      const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
      sayReceipt(listed.partitions[0].offset, listed.partitions[0].timestamp);
    }
  }),
};

verbs[verb](...rest).catch((error) => sayError(codeOf(error))).finally(exit);
