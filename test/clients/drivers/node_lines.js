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

const sayReceipt = (partition, offset) => console.log(`${partition}\t${offset}`);
const sayError = (code) => console.log(`error\t${code}`);
const pairOf = (config) => [config.slice(0, config.indexOf('=')), config.slice(config.indexOf('=') + 1)];

module.exports = { readRecords, sayReceipt, sayError, pairOf };
