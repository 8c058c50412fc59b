// The text that drivers written for Node read and print: ../README.md.
const fs = require('fs');

const decode = (text) => (text === '~' ? null : Buffer.from(text, 'base64'));

/** Each with `partition` (undefined: by key), `timestamp`, `key`, `value` and `headers`, pairs of a name and a value. */
function readRecords() {
  return fs.readFileSync(0, 'utf8').split('\n').filter(Boolean).map((line) => {
    const [partition, timestamp, key, value, headers] = line.split('\t');
    return {
      partition: partition === '-' ? undefined : Number(partition),
      timestamp,
      key: decode(key),
      value: decode(value),
      headers: headers.split(';').filter(Boolean).map((pair) => pair.split(':').map(decode)),
    };
  });
}

const encode = (content) => content?.toString('base64') ?? '~';

/** A record that was read; `headers`: pairs of a name and a value. */
function sayRecord(partition, offset, timestamp, key, value, headers) {
  const pairs = headers.map(([name, content]) => `${encode(Buffer.from(name))}:${encode(content)}`).join(';');
  console.log([partition, offset, timestamp, encode(key), encode(value), pairs].join('\t'));
}

const sayReceipt = (partition, offset) => console.log(`${partition}\t${offset}`);
const sayError = (code) => console.log(`error\t${code}`);
const say = (...words) => console.log(words.join('\t'));
const inputEnd = () => new Promise((resolve) => process.stdin.resume().on('end', resolve));
/** Ends the driver, whatever a client keeps open, when all that it told is out. */
const exit = () => process.stdout.write('', () => process.exit(0));

/** Kafka's range assignor: of a topic, the members in the order of their names get as many partitions each, the first ones one more. */
function rangesOf(members, partitions) {
  const each = Math.floor(partitions / members.length), more = partitions % members.length;
  return new Map([...members].sort().map((member, i) => {
    const begin = each * i + Math.min(i, more), end = begin + each + (i < more ? 1 : 0);
    return [member, Array.from({ length: end - begin }, (_, at) => begin + at)];
  }));
}

/** A group of its own, for clients that read in a group alone. */
const ownGroup = () => `reader-${process.pid}-${Date.now()}`;

const pairOf = (config) => [config.slice(0, config.indexOf('=')), config.slice(config.indexOf('=') + 1)];

/** An idempotent producer: sends by `send`, a promise, until standard input ends, and tells how far it is. */
async function sendUntilInputEnds(size, send) {
  let ended = false, sent = 0;
  inputEnd().then(() => { ended = true; });
  while (!ended) {
    const records = Array.from({ length: 200 }, (_, i) => ({ key: String(sent + i), value: `${sent + i} `.padEnd(size, 'v') }));
    await send(records);
    sent += records.length;
    say('acked', sent);
  }
  say('sent', sent);
}

module.exports = { encode, exit, inputEnd, ownGroup, pairOf, rangesOf, readRecords, say, sayError, sayReceipt, sayRecord, sendUntilInputEnds };
