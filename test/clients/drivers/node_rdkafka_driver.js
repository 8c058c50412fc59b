// node-rdkafka, librdkafka for Node. See ../README.md for what a driver is asked and answers.
const { setTimeout } = require('node:timers/promises');
const { AdminClient, CODES, KafkaConsumer, Producer } = require('node-rdkafka');
const { create: errorOf } = require('node-rdkafka/lib/error.js');
const { encode, exit, inputEnd, pairOf, readRecords, say, sayError, sayReceipt, sayRecord } = require('./node_lines.js');

const [verb, broker, ...rest] = process.argv.slice(2);
const common = { 'bootstrap.servers': broker, 'broker.address.ttl': 100 };
const WAIT_MS = 30_000;
const IN_FLIGHT = 1_000; // records of an idempotent producer without an answer
const errors = CODES.ERRORS;

// A record that failed comes with a text alone.
const codeByText = new Map(Object.values(errors).map((code) => [errorOf(code).message.split(': ').pop().toLowerCase(), code]));

function codeOf(error) {
  const code = error.code === -1 ? codeByText.get(error.message) : error.code;
  return [errors.ERR__UNKNOWN_TOPIC, errors.ERR__UNKNOWN_PARTITION].includes(code) ? 3 : code ?? error.message;
}

/** A promise of what CALL hands to the callback that it is given. */
const promised = (call) => new Promise((resolve, reject) => call((error, answer) => (error ? reject(error) : resolve(answer))));

async function withClient(client, work) {
  await promised((done) => client.connect({ timeout: WAIT_MS }, done));
  try {
    return await work(client);
  } finally {
    await promised((done) => client.disconnect(done));
  }
}

async function withAdmin(work) {
  const admin = AdminClient.create(common);
  try {
    return await work(admin);
  } finally {
    admin.disconnect();
  }
}

const metadataOf = (options) => withClient(new Producer(common), (client) => promised((done) => client.getMetadata({ ...options, timeout: WAIT_MS }, done)));

/** `answered(error, report)` is called for each record, and its `opaque` is what the record was sent with. Settings of topics stand apart. */
function withProducer(settings, timeout, answered, work) {
  const producer = new Producer({ ...common, dr_cb: true, ...settings }, { acks: 'all', 'message.timeout.ms': timeout });
  producer.on('delivery-report', answered);
  return withClient(producer, work);
}

const manyAtOnce = (codec) => ({ 'compression.type': codec, 'linger.ms': 20, 'message.max.bytes': 20_000_000,
  'queue.buffering.max.messages': 1_000_000, 'topic.metadata.propagation.max.ms': 500 });

/** Answers come in polls alone. */
async function pollUntil(producer, holds) {
  while (!holds()) {
    producer.poll();
    await setTimeout(2);
  }
}

// Its headers are texts, and none is null.
const headersOf = (record) => record.headers.map(([name, content]) => ({ [name]: content?.toString() ?? '' }));

function withConsumer(settings, work) {
  const consumer = new KafkaConsumer({ ...common, 'enable.auto.commit': false, ...settings }, { 'auto.offset.reset': 'earliest' });
  consumer.setDefaultConsumeTimeout(200);
  return withClient(consumer, work);
}

const read = (consumer) => promised((done) => consumer.consume(500, done));
const boundsOf = (consumer, topic, partition) => promised((done) => consumer.queryWatermarkOffsets(topic, partition, WAIT_MS, done));

// Of a commit: another has these partitions now, or the server is away.
const NOT_NOW = [errors.ERR_ILLEGAL_GENERATION, errors.ERR_UNKNOWN_MEMBER_ID, errors.ERR_REBALANCE_IN_PROGRESS, errors.ERR__NO_OFFSET,
  errors.ERR__WAIT_COORD, errors.ERR__TRANSPORT, errors.ERR__TIMED_OUT];

/** Whether the positions NEXT, by partition, are committed. */
function commit(consumer, topic, next) {
  try {
    consumer.commitSync([...next].map(([partition, offset]) => ({ topic, partition, offset })));
    return true;
  } catch (error) {
    if (!NOT_NOW.includes(error.code)) throw error;
    return false;
  }
}

const verbs = {
  create: (topic, partitions, ...configs) => withAdmin((admin) => promised((done) => admin.createTopic(
    { topic, num_partitions: Number(partitions), replication_factor: 1, config: Object.fromEntries(configs.map(pairOf)) }, WAIT_MS, done))),
  // It cannot ask for settings.
  describe: async (topic) => console.log((await metadataOf({ topic })).topics.find(({ name }) => name === topic).partitions.length),
  list: async () => (await metadataOf({})).topics.forEach(({ name }) => console.log(name)),
  produce: async (topic, codec) => {
    const answers = [];
    let count = 0;
    const answer = (at, say) => { answers[at] = say; ++count; };
    const answered = (error, { opaque, partition, offset }) => answer(opaque, error ? () => sayError(codeOf(error)) : () => sayReceipt(partition, offset));
    const records = readRecords();
    await withProducer(manyAtOnce(codec), 60_000, answered, async (producer) => {
      records.forEach((record, at) => {
        try {
          producer.produce(topic, record.partition, record.value, record.key, Number(record.timestamp), at, headersOf(record));
        } catch (error) {
          answer(at, () => sayError(codeOf(error)));
        }
      });
      await pollUntil(producer, () => count === records.length);
    });
    answers.forEach((say) => say());
  },
  bulk: async (topic, codec, count, size) => {
    let acked = 0, failed = 0;
    const answered = (error) => (error ? ++failed : ++acked);
    await withProducer(manyAtOnce(codec), 60_000, answered, async (producer) => {
      for (let i = 0; i < count; ++i) producer.produce(topic, null, Buffer.from(`${i} `.padEnd(size, 'v')), Buffer.from(String(i)));
      await pollUntil(producer, () => acked + failed === Number(count));
    });
    console.log(acked);
  },
  idempotent: async (topic, size) => {
    let ended = false, sent = 0, acked = 0, failed = 0;
    inputEnd().then(() => { ended = true; });
    const answered = (error) => {
      if (error) {
        ++failed;
        say('error', codeOf(error));
      } else if (++acked % 100 === 0) {
        say('acked', acked);
      }
    };
    const settings = { 'enable.idempotence': true, 'linger.ms': 5, 'batch.size': 16_384,
      'reconnect.backoff.max.ms': 500, 'retry.backoff.max.ms': 200 };
    await withProducer(settings, 120_000, answered, async (producer) => {
      while (!ended) {
        for (; sent - acked - failed < IN_FLIGHT; ++sent) producer.produce(topic, null, Buffer.from(`${sent} `.padEnd(size, 'v')), Buffer.from(String(sent)));
        await pollUntil(producer, () => ended || sent - acked - failed < IN_FLIGHT);
      }
      await pollUntil(producer, () => acked + failed === sent);
    });
    say('acked', acked);
    say('sent', sent);
  },
  consume: (topic) => withConsumer({ 'group.id': 'none' }, async (consumer) => {
    const metadata = await promised((done) => consumer.getMetadata({ topic, timeout: WAIT_MS }, done));
    const begins = [], left = new Map();
    for (const { id: partition } of metadata.topics.find(({ name }) => name === topic).partitions) {
      const { lowOffset, highOffset } = await boundsOf(consumer, topic, partition);
      if (lowOffset === highOffset) continue;
      begins.push({ topic, partition, offset: lowOffset });
      left.set(partition, highOffset);
    }
    consumer.assign(begins);
    while (left.size) {
      for (const { partition, offset, timestamp, key, value, headers } of await read(consumer)) {
        if (!left.has(partition)) continue;
        sayRecord(partition, offset, timestamp, key, value, (headers ?? []).flatMap(Object.entries));
        if (offset + 1 >= left.get(partition)) left.delete(partition);
      }
    }
  }),
  group: async (topic, groupId, instance) => {
    let ended = false, leaving = false;
    inputEnd().then(() => { ended = true; });
    const next = new Map(), changes = [];
    const change = (consumer, { code }, places) => {
      next.clear();
      if (code !== errors.ERR__ASSIGN_PARTITIONS) return consumer.unassign();
      consumer.assign(places);
      say('assigned', places.map(({ partition }) => partition).sort((a, b) => a - b));
    };
    const settings = { 'group.id': groupId, 'session.timeout.ms': instance === '-' ? 6_000 : 30_000,
      'heartbeat.interval.ms': 500, 'partition.assignment.strategy': 'range', ...(instance === '-' ? {} : { 'group.instance.id': instance }),
      // Between reads, so that whatever a read brings is of partitions that are still ours.
      rebalance_cb(what, places) { leaving ? change(this, what, places) : changes.push([what, places]); } };
    await withConsumer(settings, async (consumer) => {
      consumer.subscribe([topic]);
      while (!ended) {
        for (const { partition, offset, key } of await read(consumer)) {
          say('record', partition, offset, encode(key));
          next.set(partition, offset + 1);
        }
        if (next.size && commit(consumer, topic, next)) {
          next.clear();
          say('committed');
        }
        for (const [what, places] of changes.splice(0)) change(consumer, what, places);
      }
      leaving = true;
    });
  },
  offsets: (topic, partition, ...times) => withConsumer({ 'group.id': 'none' }, async (consumer) => {
    for (const offset of times.map(Number)) {
      const bounds = await boundsOf(consumer, topic, Number(partition));
      const places = [{ topic, partition: Number(partition), offset }];
      const found = offset >= 0 && (await promised((done) => consumer.offsetsForTimes(places, WAIT_MS, done)))[0].offset;
      sayReceipt(offset >= 0 ? found : offset === -2 ? bounds.lowOffset : bounds.highOffset, -1);
    }
  }),
};

verbs[verb](...rest).catch((error) => sayError(codeOf(error))).finally(exit);
