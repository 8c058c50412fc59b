// franz-go, the client of Go. See ../../README.md for what a driver is asked and answers.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var out = bufio.NewWriter(os.Stdout)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func sayError(err error) {
	var known *kerr.Error
	if errors.As(err, &known) {
		fmt.Fprintf(out, "error\t%d\n", known.Code)
	} else {
		fmt.Fprintf(out, "error\t%v\n", err)
	}
}

func decode(text string) []byte {
	if text == "~" {
		return nil
	}
	content, err := base64.StdEncoding.DecodeString(text)
	must(err)
	if content == nil {
		content = []byte{}
	}
	return content
}

func encode(content []byte) string {
	if content == nil {
		return "~"
	}
	return base64.StdEncoding.EncodeToString(content)
}

func client(broker string, options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append(options, kgo.SeedBrokers(broker))...)
	must(err)
	return made
}

// A batch may be as large as what a broker takes by itself, or as a single record of a test is.
const batchBytes, recordBytes = 1 << 20, 20_000_000

func producer(broker, codec string, batchBytesMax int32) *kgo.Client {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	return client(broker, kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerBatchMaxBytes(batchBytesMax), kgo.BrokerMaxWriteBytes(100<<20), kgo.ProducerLinger(20*time.Millisecond),
		kgo.UnknownTopicRetries(1), kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}))
}

// A record with a partition of its own goes there, the others by key.
type partitioner struct{ kgo.Partitioner }
type topicPartitioner struct{ kgo.TopicPartitioner }

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner { return topicPartitioner{p.Partitioner.ForTopic(topic)} }
func (p topicPartitioner) Partition(record *kgo.Record, n int) int {
	if record.Partition > 0 {
		return int(record.Partition) - 1
	}
	return p.TopicPartitioner.Partition(record, n)
}

func create(broker, topic, partitions string, configs []string) {
	count, err := strconv.Atoi(partitions)
	must(err)
	settings := map[string]*string{}
	for _, config := range configs {
		name, value, _ := strings.Cut(config, "=")
		settings[name] = &value
	}
	if _, err := kadm.NewClient(client(broker)).CreateTopic(context.Background(), int32(count), 1, settings, topic); err != nil {
		sayError(err)
	}
}

func describe(broker, topic string) {
	admin := kadm.NewClient(client(broker))
	topics, err := admin.ListTopics(context.Background(), topic)
	must(err)
	if err := topics[topic].Err; err != nil {
		sayError(err)
		return
	}
	fmt.Fprintln(out, len(topics[topic].Partitions))
	configs, err := admin.DescribeTopicConfigs(context.Background(), topic)
	must(err)
	for _, entry := range configs[0].Configs {
		fmt.Fprintf(out, "%s=%s\n", entry.Key, entry.MaybeValue())
	}
}

func list(broker string) {
	topics, err := kadm.NewClient(client(broker)).ListTopics(context.Background())
	must(err)
	for _, topic := range topics.Names() {
		fmt.Fprintln(out, topic)
	}
}

func readRecords(topic string) []*kgo.Record {
	var records []*kgo.Record
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		parts := strings.Split(lines.Text(), "\t")
		millis, err := strconv.ParseInt(parts[1], 10, 64)
		must(err)
		record := &kgo.Record{Topic: topic, Timestamp: time.UnixMilli(millis), Key: decode(parts[2]), Value: decode(parts[3])}
		if parts[0] != "-" {
			partition, err := strconv.Atoi(parts[0])
			must(err)
			record.Partition = int32(partition) + 1
		}
		for _, pair := range strings.Split(parts[4], ";") {
			if name, content, found := strings.Cut(pair, ":"); found {
				record.Headers = append(record.Headers, kgo.RecordHeader{Key: string(decode(name)), Value: decode(content)})
			}
		}
		records = append(records, record)
	}
	must(lines.Err())
	return records
}

func produce(broker, topic, codec string) {
	made := producer(broker, codec, recordBytes)
	records := readRecords(topic)
	failures := make([]error, len(records))
	var all sync.WaitGroup
	for i, record := range records {
		all.Add(1)
		made.Produce(context.Background(), record, func(_ *kgo.Record, err error) { failures[i] = err; all.Done() })
	}
	all.Wait()
	for i, record := range records {
		if failures[i] != nil {
			sayError(failures[i])
		} else {
			fmt.Fprintf(out, "%d\t%d\n", record.Partition, record.Offset)
		}
	}
}

func bulk(broker, topic, codec, count, size string) {
	made := producer(broker, codec, batchBytes)
	records, err := strconv.Atoi(count)
	must(err)
	bytesEach, err := strconv.Atoi(size)
	must(err)
	var acked atomic.Int64
	for i := 0; i < records; i++ {
		value := append([]byte(fmt.Sprintf("%d ", i)), bytes.Repeat([]byte("v"), bytesEach)...)[:bytesEach]
		made.Produce(context.Background(), &kgo.Record{Topic: topic, Key: []byte(strconv.Itoa(i)), Value: value}, func(_ *kgo.Record, err error) {
			if err == nil {
				acked.Add(1)
			}
		})
	}
	must(made.Flush(context.Background()))
	fmt.Fprintln(out, acked.Load())
}

func consume(broker, topic string) {
	admin := kadm.NewClient(client(broker))
	begins, err := admin.ListStartOffsets(context.Background(), topic)
	must(err)
	ends, err := admin.ListEndOffsets(context.Background(), topic)
	must(err)
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		begin, _ := begins.Lookup(topic, end.Partition)
		if begin.Offset < end.Offset {
			from[end.Partition], left[end.Partition] = kgo.NewOffset().At(begin.Offset), end.Offset
		}
	})
	if len(left) == 0 {
		return
	}
	made := client(broker, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchMaxPartitionBytes(20<<20))
	for len(left) > 0 {
		limited, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		fetches := made.PollFetches(limited)
		cancel()
		for _, failed := range fetches.Errors() {
			must(failed.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			var headers []string
			for _, header := range record.Headers {
				headers = append(headers, encode([]byte(header.Key))+":"+encode(header.Value))
			}
			fmt.Fprintf(out, "%d\t%d\t%d\t%s\t%s\t%s\n", record.Partition, record.Offset, record.Timestamp.UnixMilli(), encode(record.Key),
				encode(record.Value), strings.Join(headers, ";"))
			if record.Offset+1 >= left[record.Partition] {
				delete(left, record.Partition)
			}
		})
	}
}

func offsets(broker, topic, partition string, times []string) {
	admin := kadm.NewClient(client(broker))
	number, err := strconv.Atoi(partition)
	must(err)
	for _, text := range times {
		millis, err := strconv.ParseInt(text, 10, 64)
		must(err)
		var listed kadm.ListedOffsets
		switch millis {
		case -1:
			listed, err = admin.ListEndOffsets(context.Background(), topic)
		case -2:
			listed, err = admin.ListStartOffsets(context.Background(), topic)
		case -3:
			listed, err = admin.ListMaxTimestampOffsets(context.Background(), topic)
		default:
			listed, err = admin.ListOffsetsAfterMilli(context.Background(), millis, topic)
		}
		must(err)
		found, _ := listed.Lookup(topic, int32(number))
		fmt.Fprintf(out, "%d\t%d\n", found.Offset, found.Timestamp)
	}
}

func main() {
	verb, broker, rest := os.Args[1], os.Args[2], os.Args[3:]
	switch verb {
	case "create":
		create(broker, rest[0], rest[1], rest[2:])
	case "describe":
		describe(broker, rest[0])
	case "list":
		list(broker)
	case "produce":
		produce(broker, rest[0], rest[1])
	case "bulk":
		bulk(broker, rest[0], rest[1], rest[2], rest[3])
	case "consume":
		consume(broker, rest[0])
	case "offsets":
		offsets(broker, rest[0], rest[1], rest[2:])
	default:
		fmt.Fprintln(os.Stderr, "there is no verb", verb)
		os.Exit(2)
	}
	must(out.Flush())
}
