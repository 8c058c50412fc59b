// Package lines has the text that drivers written in Go read and print: ../../README.md.
package lines

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// InFlight is how many records of an idempotent producer may have no answer.
const InFlight = 1_000

// Header of a record.
type Header struct {
	Name    string
	Content []byte
}

// Record to be written; partition -1: by key.
type Record struct {
	Partition  int32
	Time       time.Time
	Key, Value []byte
	Headers    []Header
}

var (
	out     = bufio.NewWriter(os.Stdout)
	telling sync.Mutex
)

// Must ends the driver on an error.
func Must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Number of a text, or the end of the driver.
func Number(text string) int {
	number, err := strconv.Atoi(text)
	Must(err)
	return number
}

func decode(text string) []byte {
	if text == "~" {
		return nil
	}
	content, err := base64.StdEncoding.DecodeString(text)
	Must(err)
	if content == nil {
		content = []byte{}
	}
	return content
}

// Encode a content; null is ~.
func Encode(content []byte) string {
	if content == nil {
		return "~"
	}
	return base64.StdEncoding.EncodeToString(content)
}

// ReadRecords takes standard input to its end.
func ReadRecords() []Record {
	var records []Record
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		parts := strings.Split(lines.Text(), "\t")
		record := Record{Partition: -1, Time: time.UnixMilli(int64(Number(parts[1]))), Key: decode(parts[2]), Value: decode(parts[3])}
		if parts[0] != "-" {
			record.Partition = int32(Number(parts[0]))
		}
		for _, pair := range strings.Split(parts[4], ";") {
			if name, content, found := strings.Cut(pair, ":"); found {
				record.Headers = append(record.Headers, Header{string(decode(name)), decode(content)})
			}
		}
		records = append(records, record)
	}
	Must(lines.Err())
	return records
}

// Settings of a topic: KEY=VALUE each.
func Settings(configs []string) map[string]*string {
	settings := map[string]*string{}
	for _, config := range configs {
		name, value, _ := strings.Cut(config, "=")
		settings[name] = &value
	}
	return settings
}

// Key and Value are those of a numbered record.
func Key(number int) []byte { return []byte(strconv.Itoa(number)) }
func Value(number, size int) []byte {
	return append([]byte(fmt.Sprintf("%d ", number)), bytes.Repeat([]byte("v"), size)...)[:size]
}

// UntilInputEnds is a context that is done when standard input has ended.
func UntilInputEnds() context.Context {
	ended, end := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		end()
	}()
	return ended
}

// Put is a line that comes out by Flush.
func Put(words ...any) {
	telling.Lock()
	defer telling.Unlock()
	put(words...)
}

func put(words ...any) {
	for i, word := range words {
		if i > 0 {
			out.WriteByte('\t')
		}
		fmt.Fprint(out, word)
	}
	out.WriteByte('\n')
}

// Say is a line that comes out now.
func Say(words ...any) {
	telling.Lock()
	defer telling.Unlock()
	put(words...)
	out.Flush()
}

// Flush what was put.
func Flush() { Must(out.Flush()) }

// PutRecord is the line of a record that was read.
func PutRecord(partition int32, offset int64, at time.Time, key, value []byte, headers []Header) {
	var pairs []string
	for _, header := range headers {
		pairs = append(pairs, Encode([]byte(header.Name))+":"+Encode(header.Content))
	}
	Put(partition, offset, at.UnixMilli(), Encode(key), Encode(value), strings.Join(pairs, ";"))
}

// SayAssigned tells the partitions of a member, in their order.
func SayAssigned(partitions []int32) {
	var numbers []string
	for _, partition := range partitions {
		numbers = append(numbers, strconv.Itoa(int(partition)))
	}
	Say("assigned", strings.Join(numbers, ","))
}

// Progress of an idempotent producer, told now and then.
type Progress struct {
	mutex sync.Mutex
	acked int
	Sent  int
}

// Answered by nil or the error of a record.
func (p *Progress) Answered(err error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err != nil {
		Say("error", err)
	} else if p.acked++; p.acked%100 == 0 {
		Say("acked", p.acked)
	}
}

// SayEnd when every record has its answer.
func (p *Progress) SayEnd() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	Say("acked", p.acked)
	Say("sent", p.Sent)
}

// Verbs is what a driver does for each verb, given the broker and its arguments.
type Verbs map[string]func(broker string, rest []string)

// Run the verb of the command line.
func (v Verbs) Run() {
	verb, found := v[os.Args[1]]
	if !found {
		fmt.Fprintln(os.Stderr, "there is no verb", os.Args[1])
		os.Exit(2)
	}
	verb(os.Args[2], os.Args[3:])
	Flush()
}
