package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (w *world) client(options ...kgo.Opt) (*kgo.Client, error) {
	base := []kgo.Opt{kgo.SeedBrokers(w.address), kgo.ClientID("franz")}
	return kgo.NewClient(append(base, options...)...)
}

// topic makes a topic and a client to administer it with, which the caller closes.
func (w *world) topic(ctx context.Context, name string, partitions int32, configs map[string]*string) (*kadm.Client, error) {
	client, err := w.client()
	if err != nil {
		return nil, err
	}
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, partitions, 1, configs, name); err != nil {
		client.Close()
		return nil, err
	}
	return admin, led(ctx, admin, name, partitions)
}

// led waits until every partition has its leader: a broker may answer the creation before it is ready.
func led(ctx context.Context, admin *kadm.Client, name string, partitions int32) error {
	for {
		listed, err := admin.ListTopics(ctx, name)
		if err != nil {
			return err
		}
		ready := int32(0)
		for _, partition := range listed[name].Partitions {
			if partition.Err == nil && partition.Leader >= 0 {
				ready++
			}
		}
		if ready == partitions {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %d of %d partitions are ready", name, ready, partitions)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func records(topic string, from, to int) []*kgo.Record {
	made := []*kgo.Record{}
	for i := from; i < to; i++ {
		made = append(made, &kgo.Record{
			Topic:     topic,
			Partition: int32(i % 2),
			Key:       []byte(fmt.Sprintf("k%d", i)),
			Value:     []byte(fmt.Sprintf("%d:%s", i, strings.Repeat("x", 100))),
			Headers:   []kgo.RecordHeader{{Key: "h", Value: []byte(fmt.Sprint(i))}},
		})
	}
	return made
}

// poll reads until that many records have come.
func poll(ctx context.Context, client *kgo.Client, count int) ([]*kgo.Record, error) {
	var read []*kgo.Record
	for len(read) < count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return read, fmt.Errorf("after %d of %d records: %w", len(read), count, err)
		}
		for _, e := range fetches.Errors() {
			return read, fmt.Errorf("%s-%d: %w", e.Topic, e.Partition, e.Err)
		}
		read = append(read, fetches.Records()...)
	}
	return read, nil
}

// code is Kafka's name of an error, "" when there is none.
func code(err error) string {
	if err == nil {
		return ""
	}
	if known := kerr.ErrorForCode; known != nil {
		var kafka *kerr.Error
		if asKafka(err, &kafka) {
			return kafka.Message
		}
	}
	return err.Error()
}

func text(value string) *string { return &value }
