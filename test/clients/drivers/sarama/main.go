// sarama, the older client of Go. See ../../README.md for what a driver is asked and answers.
package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"lines"
)

// A batch may be as large as what a broker takes by itself, or as a single record of a test is.
const batchBytes, recordBytes = 1 << 20, 20_000_000

var codecs = map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}

func sayError(err error) {
	var code sarama.KError
	if errors.As(err, &code) {
		lines.Put("error", int(code))
	} else {
		lines.Put("error", err)
	}
}

func config() *sarama.Config {
	made := sarama.NewConfig()
	made.Version = sarama.MaxVersion
	made.Metadata.AllowAutoTopicCreation = false
	made.Metadata.Retry.Max = 1
	return made
}

func client(broker string, with *sarama.Config) sarama.Client {
	made, err := sarama.NewClient([]string{broker}, with)
	lines.Must(err)
	return made
}

func admin(broker string) sarama.ClusterAdmin {
	made, err := sarama.NewClusterAdmin([]string{broker}, config())
	lines.Must(err)
	return made
}

func create(broker string, rest []string) {
	detail := sarama.TopicDetail{NumPartitions: int32(lines.Number(rest[1])), ReplicationFactor: 1, ConfigEntries: lines.Settings(rest[2:])}
	if err := admin(broker).CreateTopic(rest[0], &detail, false); err != nil {
		sayError(err)
	}
}

func describe(broker string, rest []string) {
	made := admin(broker)
	topics, err := made.DescribeTopics(rest[:1])
	lines.Must(err)
	if topics[0].Err != sarama.ErrNoError {
		sayError(topics[0].Err)
		return
	}
	lines.Put(len(topics[0].Partitions))
	entries, err := made.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: rest[0]})
	lines.Must(err)
	for _, entry := range entries {
		lines.Put(entry.Name + "=" + entry.Value)
	}
}

func list(broker string, _ []string) {
	topics, err := admin(broker).ListTopics()
	lines.Must(err)
	for name := range topics {
		lines.Put(name)
	}
}

// A record with a partition of its own, which is its Metadata, goes there; the others go by key.
type partitioner struct{ sarama.Partitioner }

func newPartitioner(topic string) sarama.Partitioner {
	return partitioner{sarama.NewHashPartitioner(topic)}
}
func (p partitioner) Partition(message *sarama.ProducerMessage, partitions int32) (int32, error) {
	if partition, ok := message.Metadata.(int32); ok && partition >= 0 {
		return partition, nil
	}
	return p.Partitioner.Partition(message, partitions)
}

func producerConfig(codec string, batchBytesMax int) *sarama.Config {
	made := config()
	made.Producer.RequiredAcks = sarama.WaitForAll
	made.Producer.Compression = codecs[codec]
	made.Producer.MaxMessageBytes = batchBytesMax
	made.Producer.Partitioner = newPartitioner
	made.Producer.Flush.Frequency = 20 * time.Millisecond
	made.Producer.Return.Successes = true
	return made
}

func encoderOf(content []byte) sarama.Encoder {
	if content == nil {
		return nil
	}
	return sarama.ByteEncoder(content)
}

func produce(broker string, rest []string) {
	producer, err := sarama.NewSyncProducer([]string{broker}, producerConfig(rest[1], recordBytes))
	lines.Must(err)
	var messages []*sarama.ProducerMessage
	for _, record := range lines.ReadRecords() {
		message := sarama.ProducerMessage{Topic: rest[0], Metadata: record.Partition, Timestamp: record.Time, Key: encoderOf(record.Key), Value: encoderOf(record.Value)}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Content})
		}
		messages = append(messages, &message)
	}
	failures := map[*sarama.ProducerMessage]error{}
	var failed sarama.ProducerErrors
	if err := producer.SendMessages(messages); errors.As(err, &failed) {
		for _, one := range failed {
			failures[one.Msg] = one.Err
		}
	} else {
		lines.Must(err)
	}
	for _, message := range messages {
		if err := failures[message]; err != nil {
			sayError(err)
		} else {
			lines.Put(message.Partition, message.Offset)
		}
	}
}

// A producer whose answers go to `answered`, and a call that sends what it has and ends it.
func asyncProducer(broker string, with *sarama.Config, answered func(error)) (sarama.AsyncProducer, func()) {
	producer, err := sarama.NewAsyncProducer([]string{broker}, with)
	lines.Must(err)
	var answers sync.WaitGroup
	answers.Go(func() {
		for range producer.Successes() {
			answered(nil)
		}
	})
	answers.Go(func() {
		for failed := range producer.Errors() {
			answered(failed.Err)
		}
	})
	return producer, func() {
		producer.AsyncClose()
		answers.Wait()
	}
}

func numbered(topic string, number, size int) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Key: sarama.ByteEncoder(lines.Key(number)), Value: sarama.ByteEncoder(lines.Value(number, size))}
}

func bulk(broker string, rest []string) {
	var mutex sync.Mutex
	acked := 0
	producer, end := asyncProducer(broker, producerConfig(rest[1], batchBytes), func(err error) {
		mutex.Lock()
		defer mutex.Unlock()
		if err == nil {
			acked++
		}
	})
	for i := range lines.Number(rest[2]) {
		producer.Input() <- numbered(rest[0], i, lines.Number(rest[3]))
	}
	end()
	lines.Put(acked)
}

func idempotent(broker string, rest []string) {
	with := producerConfig("none", 16<<10)
	with.Producer.Idempotent = true
	with.Producer.Flush.Frequency = 5 * time.Millisecond
	with.Producer.Retry.Max = 1_000
	with.Producer.Retry.Backoff = 100 * time.Millisecond
	with.Metadata.Retry.Max = 100
	with.Metadata.Retry.Backoff = 100 * time.Millisecond
	with.Net.MaxOpenRequests = 1
	var progress lines.Progress
	room := make(chan struct{}, lines.InFlight)
	producer, end := asyncProducer(broker, with, func(err error) {
		progress.Answered(err)
		<-room
	})
	for ended := lines.UntilInputEnds(); ended.Err() == nil; progress.Sent++ {
		room <- struct{}{}
		producer.Input() <- numbered(rest[0], progress.Sent, lines.Number(rest[1]))
	}
	for range lines.InFlight { // what it retries while it shuts down it may give up
		room <- struct{}{}
	}
	end()
	progress.SayEnd()
}

func consume(broker string, rest []string) {
	topic, with := rest[0], config()
	with.Consumer.Fetch.Default = recordBytes
	made := client(broker, with)
	consumer, err := sarama.NewConsumerFromClient(made)
	lines.Must(err)
	partitions, err := made.Partitions(topic)
	lines.Must(err)
	var all sync.WaitGroup
	for _, partition := range partitions {
		begin, err := made.GetOffset(topic, partition, sarama.OffsetOldest)
		lines.Must(err)
		end, err := made.GetOffset(topic, partition, sarama.OffsetNewest)
		lines.Must(err)
		if begin == end {
			continue
		}
		of, err := consumer.ConsumePartition(topic, partition, begin)
		lines.Must(err)
		all.Go(func() {
			for message := range of.Messages() {
				lines.PutRecord(message.Partition, message.Offset, message.Timestamp, message.Key, message.Value, headersOf(message))
				if message.Offset+1 >= end {
					return
				}
			}
		})
	}
	all.Wait()
}

func headersOf(message *sarama.ConsumerMessage) []lines.Header {
	var headers []lines.Header
	for _, header := range message.Headers {
		headers = append(headers, lines.Header{Name: string(header.Key), Content: header.Value})
	}
	return headers
}

// A member of a group. Partitions are consumed beside each other; one at a time tells what came and commits it.
type member struct {
	admin       sarama.ClusterAdmin
	topic, name string
	telling     sync.Mutex
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	partitions := session.Claims()[m.topic]
	slices.Sort(partitions)
	lines.SayAssigned(partitions)
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.tell(session, claim, message)
		case <-session.Context().Done():
			return nil
		}
	}
}

// Tells a message and those that are there already, and commits them.
func (m *member) tell(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim, message *sarama.ConsumerMessage) {
	m.telling.Lock()
	defer m.telling.Unlock()
	for {
		lines.Say("record", message.Partition, message.Offset, lines.Encode(message.Key))
		session.MarkMessage(message, "")
		select {
		case next, open := <-claim.Messages():
			if open {
				message = next
				continue
			}
		default:
		}
		break
	}
	session.Commit()
	// Whether a commit came about it does not tell.
	if m.committed(message.Partition) > message.Offset {
		lines.Say("committed")
	}
}

func (m *member) committed(partition int32) int64 {
	found, err := m.admin.ListConsumerGroupOffsets(m.name, map[string][]int32{m.topic: {partition}})
	if err != nil {
		return -1
	}
	block := found.GetBlock(m.topic, partition)
	if block == nil || block.Err != sarama.ErrNoError {
		return -1
	}
	return block.Offset
}

func group(broker string, rest []string) {
	topic, name, instance, with := rest[0], rest[1], rest[2], config()
	with.Metadata.Retry.Max = 100
	with.Metadata.Retry.Backoff = 100 * time.Millisecond
	with.Consumer.Offsets.AutoCommit.Enable = false
	with.Consumer.Offsets.Initial = sarama.OffsetOldest
	with.Consumer.MaxWaitTime = 200 * time.Millisecond
	with.Consumer.Retry.Backoff = 200 * time.Millisecond
	with.Consumer.Group.Session.Timeout = 6 * time.Second
	with.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	with.Consumer.Group.Rebalance.Timeout = 10 * time.Second
	with.Consumer.Group.Rebalance.Retry.Backoff = 200 * time.Millisecond
	with.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	if instance != "-" {
		with.Consumer.Group.InstanceId = instance
		with.Consumer.Group.Session.Timeout = 30 * time.Second
	}
	made, err := sarama.NewConsumerGroup([]string{broker}, name, with)
	lines.Must(err)
	ended, consumer := lines.UntilInputEnds(), &member{admin: admin(broker), topic: topic, name: name}
	for ended.Err() == nil {
		if err := made.Consume(ended, []string{topic}, consumer); err != nil && !errors.Is(err, context.Canceled) {
			time.Sleep(100 * time.Millisecond) // the server is away
		}
	}
	lines.Must(made.Close())
}

func offsets(broker string, rest []string) {
	made := client(broker, config())
	for _, text := range rest[2:] {
		millis, err := strconv.ParseInt(text, 10, 64)
		lines.Must(err)
		offset, err := made.GetOffset(rest[0], int32(lines.Number(rest[1])), millis)
		if err != nil {
			sayError(err)
			continue
		}
		lines.Put(offset, -1)
	}
}

func main() {
	lines.Verbs{"create": create, "describe": describe, "list": list, "produce": produce, "bulk": bulk, "idempotent": idempotent, "consume": consume,
		"group": group, "offsets": offsets}.Run()
}
