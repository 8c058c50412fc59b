// franz-go, the client of Go. See ../../README.md for what a driver is asked and answers.
package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"lines"
)

func sayError(err error) {
	var known *kerr.Error
	if errors.As(err, &known) {
		lines.Put("error", known.Code)
	} else {
		lines.Put("error", err)
	}
}

func client(broker string, options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append(options, kgo.SeedBrokers(broker))...)
	lines.Must(err)
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

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.Partitioner.ForTopic(topic)}
}
func (p topicPartitioner) Partition(record *kgo.Record, n int) int {
	if record.Partition > 0 {
		return int(record.Partition) - 1
	}
	return p.TopicPartitioner.Partition(record, n)
}

func admin(broker string) *kadm.Client { return kadm.NewClient(client(broker)) }

func create(broker string, rest []string) {
	settings := lines.Settings(rest[2:])
	if _, err := admin(broker).CreateTopic(context.Background(), int32(lines.Number(rest[1])), 1, settings, rest[0]); err != nil {
		sayError(err)
	}
}

func describe(broker string, rest []string) {
	topic, made := rest[0], admin(broker)
	topics, err := made.ListTopics(context.Background(), topic)
	lines.Must(err)
	if err := topics[topic].Err; err != nil {
		sayError(err)
		return
	}
	lines.Put(len(topics[topic].Partitions))
	configs, err := made.DescribeTopicConfigs(context.Background(), topic)
	lines.Must(err)
	for _, entry := range configs[0].Configs {
		lines.Put(entry.Key + "=" + entry.MaybeValue())
	}
}

func list(broker string, _ []string) {
	topics, err := admin(broker).ListTopics(context.Background())
	lines.Must(err)
	for _, topic := range topics.Names() {
		lines.Put(topic)
	}
}

func recordOf(topic string, read lines.Record) *kgo.Record {
	record := &kgo.Record{Topic: topic, Partition: read.Partition + 1, Timestamp: read.Time, Key: read.Key, Value: read.Value}
	for _, header := range read.Headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Content})
	}
	return record
}

func produce(broker string, rest []string) {
	made := producer(broker, rest[1], recordBytes)
	var records []*kgo.Record
	for _, read := range lines.ReadRecords() {
		records = append(records, recordOf(rest[0], read))
	}
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
			lines.Put(record.Partition, record.Offset)
		}
	}
}

func numbered(topic string, number, size int) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: lines.Key(number), Value: lines.Value(number, size)}
}

func bulk(broker string, rest []string) {
	made, size := producer(broker, rest[1], batchBytes), lines.Number(rest[3])
	var acked atomic.Int64
	for i := range lines.Number(rest[2]) {
		made.Produce(context.Background(), numbered(rest[0], i, size), func(_ *kgo.Record, err error) {
			if err == nil {
				acked.Add(1)
			}
		})
	}
	lines.Must(made.Flush(context.Background()))
	lines.Put(acked.Load())
}

func idempotent(broker string, rest []string) {
	made := client(broker, kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchMaxBytes(16<<10), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.MaxBufferedRecords(lines.InFlight), kgo.MetadataMinAge(100*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }))
	var progress lines.Progress
	size := lines.Number(rest[1])
	for ended := lines.UntilInputEnds(); ended.Err() == nil; progress.Sent++ {
		made.Produce(context.Background(), numbered(rest[0], progress.Sent, size), func(_ *kgo.Record, err error) { progress.Answered(err) })
	}
	lines.Must(made.Flush(context.Background()))
	progress.SayEnd()
}

func consume(broker string, rest []string) {
	topic, asked := rest[0], admin(broker)
	begins, err := asked.ListStartOffsets(context.Background(), topic)
	lines.Must(err)
	ends, err := asked.ListEndOffsets(context.Background(), topic)
	lines.Must(err)
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
			lines.Must(failed.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			var headers []lines.Header
			for _, header := range record.Headers {
				headers = append(headers, lines.Header{Name: header.Key, Content: header.Value})
			}
			lines.PutRecord(record.Partition, record.Offset, record.Timestamp, record.Key, record.Value, headers)
			if record.Offset+1 >= left[record.Partition] {
				delete(left, record.Partition)
			}
		})
	}
}

func group(broker string, rest []string) {
	topic, name, instance := rest[0], rest[1], rest[2]
	assigned := func(_ context.Context, _ *kgo.Client, places map[string][]int32) {
		slices.Sort(places[topic])
		lines.SayAssigned(places[topic])
	}
	options := []kgo.Opt{kgo.ConsumerGroup(name), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.Balancers(kgo.RangeBalancer()),
		kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(500 * time.Millisecond), kgo.OnPartitionsAssigned(assigned),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll()}
	if instance != "-" {
		options = append(options, kgo.InstanceID(instance), kgo.SessionTimeout(30*time.Second))
	}
	made, ended := client(broker, options...), lines.UntilInputEnds()
	for ended.Err() == nil {
		limited, cancel := context.WithTimeout(ended, 200*time.Millisecond)
		fetches := made.PollFetches(limited)
		cancel()
		fetches.EachRecord(func(record *kgo.Record) {
			lines.Say("record", record.Partition, record.Offset, lines.Encode(record.Key))
		})
		if !fetches.Empty() && fetches.NumRecords() > 0 {
			if err := made.CommitUncommittedOffsets(context.Background()); err == nil {
				lines.Say("committed")
			}
		}
		made.AllowRebalance()
	}
	made.CloseAllowingRebalance()
}

func offsets(broker string, rest []string) {
	topic, number, asked := rest[0], lines.Number(rest[1]), admin(broker)
	for _, text := range rest[2:] {
		millis, err := strconv.ParseInt(text, 10, 64)
		lines.Must(err)
		var listed kadm.ListedOffsets
		switch millis {
		case -1:
			listed, err = asked.ListEndOffsets(context.Background(), topic)
		case -2:
			listed, err = asked.ListStartOffsets(context.Background(), topic)
		case -3:
			listed, err = asked.ListMaxTimestampOffsets(context.Background(), topic)
		default:
			listed, err = asked.ListOffsetsAfterMilli(context.Background(), millis, topic)
		}
		lines.Must(err)
		found, _ := listed.Lookup(topic, int32(number))
		lines.Put(found.Offset, found.Timestamp)
	}
}

func main() {
	lines.Verbs{"create": create, "describe": describe, "list": list, "produce": produce, "bulk": bulk, "idempotent": idempotent, "consume": consume,
		"group": group, "offsets": offsets}.Run()
}
