package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func asKafka(err error, into **kerr.Error) bool { return errors.As(err, into) }

func franzCodecs(ctx context.Context, w *world) error {
	codecs := []struct {
		name  string
		codec kgo.CompressionCodec
	}{
		{"none", kgo.NoCompression()},
		{"gzip", kgo.GzipCompression()},
		{"snappy", kgo.SnappyCompression()},
		{"lz4", kgo.Lz4Compression()},
		{"zstd", kgo.ZstdCompression()},
	}
	for _, one := range codecs {
		topic := w.name("codec-" + one.name)
		admin, err := w.topic(ctx, topic, 2, nil)
		if err != nil {
			return err
		}
		producer, err := w.client(kgo.ProducerBatchCompression(one.codec), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			return err
		}
		if err := producer.ProduceSync(ctx, records(topic, 0, 100)...).FirstErr(); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		producer.Close()
		consumer, err := w.client(kgo.ConsumeTopics(topic))
		if err != nil {
			return err
		}
		read, err := poll(ctx, consumer, 100)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		consumer.Close()
		admin.Close()
		w.observe(one.name, inOrder(read))
	}
	return nil
}

// inOrder says whether the records of each partition are those of `records`, in order and with their headers.
func inOrder(read []*kgo.Record) string {
	next := map[int32]int{0: 0, 1: 1}
	for _, record := range read {
		want := next[record.Partition]
		next[record.Partition] += 2
		if !strings.HasPrefix(string(record.Value), fmt.Sprintf("%d:", want)) || string(record.Headers[0].Value) != fmt.Sprint(want) {
			return fmt.Sprintf("partition %d: got %.10s, want %d", record.Partition, record.Value, want)
		}
	}
	return fmt.Sprintf("%d records in order", len(read))
}

func franzBigMessages(ctx context.Context, w *world) error {
	topic := w.name("big")
	admin, err := w.topic(ctx, topic, 1, map[string]*string{"max.message.bytes": text("3000000")})
	if err != nil {
		return err
	}
	defer admin.Close()
	client, err := w.client(
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchMaxBytes(4_000_000),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ConsumeTopics(topic),
		kgo.FetchMaxPartitionBytes(1000),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, size := range []int{1, 1_000_000, 2_900_000, 3_100_000} {
		record := &kgo.Record{Value: make([]byte, size)}
		w.observe(fmt.Sprintf("%d bytes", size), code(client.ProduceSync(ctx, record).FirstErr()))
	}
	read, err := poll(ctx, client, 3)
	if err != nil {
		return err
	}
	sizes := []int{}
	for _, record := range read {
		sizes = append(sizes, len(record.Value))
	}
	w.observe("read", sizes)
	return nil
}

func franzOffsets(ctx context.Context, w *world) error {
	topic := w.name("offsets")
	admin, err := w.topic(ctx, topic, 1, nil)
	if err != nil {
		return err
	}
	defer admin.Close()
	producer, err := w.client(kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer producer.Close()
	start := time.Now().Add(-time.Hour).Truncate(time.Second)
	batch := []*kgo.Record{}
	for i := range 20 {
		batch = append(batch, &kgo.Record{Value: []byte(fmt.Sprint(i)), Timestamp: start.Add(time.Duration(i) * time.Second)})
	}
	if err := producer.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		return err
	}
	for _, seconds := range []int{-5, 0, 10, 19, 30} {
		listed, err := admin.ListOffsetsAfterMilli(ctx, start.Add(time.Duration(seconds)*time.Second).UnixMilli(), topic)
		if err != nil {
			return err
		}
		at, _ := listed.Lookup(topic, 0)
		w.observe(fmt.Sprintf("first at %d s or later", seconds), at.Offset)
	}
	listed, err := admin.ListMaxTimestampOffsets(ctx, topic)
	if err != nil {
		return err
	}
	at, _ := listed.Lookup(topic, 0)
	w.observe("largest timestamp", []int64{at.Offset, (at.Timestamp - start.UnixMilli()) / 1000})
	from := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(15)}}
	consumer, err := w.client(kgo.ConsumePartitions(from))
	if err != nil {
		return err
	}
	defer consumer.Close()
	read, err := poll(ctx, consumer, 5)
	if err != nil {
		return err
	}
	w.observe("from 15", values(read))
	deleted, err := admin.DeleteRecords(ctx, kadm.Offsets{topic: {0: {Topic: topic, Partition: 0, At: 12}}})
	if err != nil {
		return err
	}
	low, _ := deleted.Lookup(topic, 0)
	w.observe("low watermark after deletion", low.LowWatermark)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	begin, _ := starts.Lookup(topic, 0)
	w.observe("start", begin.Offset)
	return nil
}

func values(read []*kgo.Record) []string {
	made := []string{}
	for _, record := range read {
		made = append(made, string(record.Value))
	}
	sort.Strings(made)
	return made
}

func franzCompaction(ctx context.Context, w *world) error {
	topic := w.name("compacted")
	admin, err := w.topic(ctx, topic, 1, map[string]*string{
		"cleanup.policy":            text("compact"),
		"segment.ms":                text("100"),
		"min.cleanable.dirty.ratio": text("0.01"),
		"delete.retention.ms":       text("0"),
	})
	if err != nil {
		return err
	}
	defer admin.Close()
	producer, err := w.client(kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer producer.Close()
	w.observe("without a key", code(producer.ProduceSync(ctx, &kgo.Record{Value: []byte("x")}).FirstErr()))
	for i := range 30 {
		record := &kgo.Record{Key: []byte(fmt.Sprint(i % 3)), Value: []byte(fmt.Sprint(i))}
		if err := producer.ProduceSync(ctx, record).FirstErr(); err != nil {
			return err
		}
	}
	// A cleaner works when it finds the time: rounds of new records roll the active segment.
	for {
		time.Sleep(500 * time.Millisecond)
		if err := producer.ProduceSync(ctx, &kgo.Record{Key: []byte("last"), Value: []byte("l")}).FirstErr(); err != nil {
			return err
		}
		seen, err := w.latest(ctx, topic)
		if err != nil {
			return err
		}
		if seen["0"] == 1 && seen["1"] == 1 && seen["2"] == 1 {
			w.observe("one record a key", true)
			return nil
		}
	}
}

// latest counts the records that are there by key.
func (w *world) latest(ctx context.Context, topic string) (map[string]int, error) {
	consumer, err := w.client(kgo.ConsumeTopics(topic))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	seen := map[string]int{}
	patience, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for {
		fetches := consumer.PollFetches(patience)
		if patience.Err() != nil {
			return seen, ctx.Err()
		}
		for _, record := range fetches.Records() {
			seen[string(record.Key)]++
		}
	}
}
