package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func franzTransactions(ctx context.Context, w *world) error {
	topic := w.name("txn")
	admin, err := w.topic(ctx, topic, 1, nil)
	if err != nil {
		return err
	}
	defer admin.Close()
	options := []kgo.Opt{
		kgo.TransactionalID(w.name("id")),
		kgo.DefaultProduceTopic(topic),
		kgo.TransactionTimeout(30 * time.Second),
	}
	producer, err := w.client(options...)
	if err != nil {
		return err
	}
	defer producer.Close()
	transact := func(value string, commit kgo.TransactionEndTry) error {
		if err := producer.BeginTransaction(); err != nil {
			return err
		}
		if err := producer.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
			return err
		}
		return producer.EndTransaction(ctx, commit)
	}
	for i := range 6 {
		if err := transact(fmt.Sprint(i), kgo.TransactionEndTry(i%2 == 0)); err != nil {
			return err
		}
	}
	committed, err := w.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer committed.Close()
	read, err := poll(ctx, committed, 3)
	if err != nil {
		return err
	}
	w.observe("read_committed", values(read))
	all, err := w.client(kgo.ConsumeTopics(topic))
	if err != nil {
		return err
	}
	defer all.Close()
	read, err = poll(ctx, all, 6)
	if err != nil {
		return err
	}
	w.observe("read_uncommitted", values(read))
	listed, err := admin.ListTransactions(ctx, nil, nil)
	if err != nil {
		return err
	}
	w.observe("state", listed[w.name("id")].State)
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	end, _ := ends.Lookup(topic, 0)
	w.observe("end with its markers", end.Offset)
	// A second producer of that id fences the first.
	if err := producer.BeginTransaction(); err != nil {
		return err
	}
	if err := producer.ProduceSync(ctx, kgo.StringRecord("fenced")).FirstErr(); err != nil {
		return err
	}
	usurper, err := w.client(options...)
	if err != nil {
		return err
	}
	defer usurper.Close()
	if err := usurper.BeginTransaction(); err != nil {
		return err
	}
	if err := usurper.ProduceSync(ctx, kgo.StringRecord("usurper")).FirstErr(); err != nil {
		return err
	}
	if err := usurper.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	w.observe("the fenced one cannot commit", producer.EndTransaction(ctx, kgo.TryCommit) != nil)
	read, err = poll(ctx, committed, 1)
	if err != nil {
		return err
	}
	w.observe("after fencing", values(read))
	return nil
}

// franzTransactionCopy copies a topic by transactions, every third of which is aborted and done again.
func franzTransactionCopy(ctx context.Context, w *world) error {
	const count = 300
	from, to, group := w.name("copy-from"), w.name("copy-to"), w.name("copy-group")
	admin, err := w.topic(ctx, from, 2, nil)
	if err != nil {
		return err
	}
	defer admin.Close()
	target, err := w.topic(ctx, to, 2, nil)
	if err != nil {
		return err
	}
	target.Close()
	producer, err := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer producer.Close()
	if err := producer.ProduceSync(ctx, records(from, 0, count)...).FirstErr(); err != nil {
		return err
	}
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(w.address),
		kgo.TransactionalID(w.name("copy")),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(from),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RequireStableFetchOffsets(),
		kgo.FetchMaxPartitionBytes(4_000),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	if err != nil {
		return err
	}
	defer session.Close()
	copied, rounds := 0, 0
	for copied < count {
		fetches := session.PollRecords(ctx, 40)
		if err := fetches.Err0(); err != nil {
			return err
		}
		if fetches.NumRecords() == 0 {
			continue
		}
		if err := session.Begin(); err != nil {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			session.Produce(ctx, &kgo.Record{
				Topic:     to,
				Partition: record.Partition,
				Key:       record.Key,
				Value:     record.Value,
				Headers:   record.Headers,
			}, nil)
		})
		rounds++
		committed, err := session.End(ctx, kgo.TransactionEndTry(rounds%3 != 0))
		if err != nil {
			return err
		}
		if committed {
			copied += fetches.NumRecords()
		}
	}
	consumer, err := w.client(kgo.ConsumeTopics(to), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer consumer.Close()
	read, err := poll(ctx, consumer, count)
	if err != nil {
		return err
	}
	w.observe("copied", inOrder(read))
	return nil
}
