package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Random transactions on a broker that may be killed meanwhile; every operation is a line of JSON, as
// test/crash/histories/history.ts has it.

const (
	historyAbortedShare = 0.3
	historyPause        = 20 * time.Millisecond
	// historyPatience bounds what one operation may take.
	historyPatience = 10 * time.Second
)

type historyStep struct {
	Kind      string          `json:"kind"`
	Partition int32           `json:"partition"`
	Value     string          `json:"value,omitempty"`
	Offset    *int64          `json:"offset,omitempty"`
	Records   []historyRecord `json:"records,omitempty"`
}

type historyRecord struct {
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Value     string `json:"value"`
}

type historySession struct {
	ID        string `json:"id"`
	By        string `json:"by"`
	Isolation string `json:"isolation"`
}

type historyOperation struct {
	Process       string          `json:"process"`
	StartMs       float64         `json:"startMs"`
	EndMs         float64         `json:"endMs"`
	Outcome       string          `json:"outcome"`
	Transactional bool            `json:"transactional"`
	Steps         []historyStep   `json:"steps"`
	Session       *historySession `json:"session,omitempty"`
	Group         string          `json:"group,omitempty"`
}

type historyWorld struct {
	address    string
	topic      string
	partitions int32
	until      time.Time
	writing    sync.Mutex
}

// franzHistory takes: address, topic, partitions, seed, seconds.
func franzHistory(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("want <host:port> <topic> <partitions> <seed> <seconds>")
	}
	partitions := must(strconv.Atoi(args[2]))
	seed := must(strconv.ParseInt(args[3], 10, 64))
	seconds := must(strconv.ParseFloat(args[4], 64))
	w := &historyWorld{
		address:    args[0],
		topic:      args[1],
		partitions: int32(partitions),
		until:      time.Now().Add(time.Duration(seconds * float64(time.Second))),
	}
	workers := []func(name string, random *rand.Rand){w.write, w.write, w.copy, w.read}
	names := []string{"franz-1", "franz-2", "franz-copy", "franz-assigned"}
	var running sync.WaitGroup
	for i, work := range workers {
		running.Add(1)
		go func() {
			defer running.Done()
			work(names[i], rand.New(rand.NewSource(seed+int64(i))))
		}()
	}
	running.Wait()
	return nil
}

func (w *historyWorld) over() bool { return time.Now().After(w.until) }

func (w *historyWorld) record(operation historyOperation, started time.Time) {
	operation.StartMs = float64(started.UnixMicro()) / 1000
	operation.EndMs = float64(time.Now().UnixMicro()) / 1000
	if operation.Steps == nil {
		operation.Steps = []historyStep{}
	}
	line := append(must(json.Marshal(operation)), '\n')
	w.writing.Lock()
	defer w.writing.Unlock()
	must(os.Stdout.Write(line))
}

func (w *historyWorld) options(more ...kgo.Opt) []kgo.Opt {
	base := []kgo.Opt{
		kgo.SeedBrokers(w.address),
		kgo.ClientID("history-franz"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.DefaultProduceTopic(w.topic),
		kgo.RetryTimeout(historyPatience),
		kgo.FetchMaxWait(100 * time.Millisecond),
	}
	return append(base, more...)
}

func (w *historyWorld) transactional(name string) []kgo.Opt {
	return []kgo.Opt{kgo.TransactionalID(name), kgo.TransactionTimeout(5 * time.Second)}
}

// send produces one to three records to one partition, known as sent before they are.
func (w *historyWorld) send(ctx context.Context, produce func(context.Context, ...*kgo.Record) kgo.ProduceResults,
	name string, count *int, random *rand.Rand, steps []historyStep) ([]historyStep, error) {
	partition := random.Int31n(w.partitions)
	var sent []*kgo.Record
	at := len(steps)
	for range 1 + random.Intn(3) {
		*count++
		value := fmt.Sprintf("%s.%d", name, *count)
		sent = append(sent, &kgo.Record{Partition: partition, Value: []byte(value)})
		steps = append(steps, historyStep{Kind: "send", Partition: partition, Value: value})
	}
	results := produce(ctx, sent...)
	if err := results.FirstErr(); err != nil {
		return steps, err
	}
	// In the order in which they were acknowledged, so by the record itself.
	for i, record := range sent {
		steps[at+i].Offset = &record.Offset
	}
	return steps, nil
}

// write does one transaction after another; with an unknown end it starts again as a new producer of the same id.
func (w *historyWorld) write(name string, random *rand.Rand) {
	count := 0
	var client *kgo.Client
	for !w.over() {
		if client == nil {
			client = must(kgo.NewClient(w.options(w.transactional(name)...)...))
		}
		started := time.Now()
		operation := historyOperation{Process: name, Outcome: "failed", Transactional: true}
		err := func() (err error) {
			ctx, cancel := context.WithTimeout(context.Background(), historyPatience)
			defer cancel()
			if err := client.BeginTransaction(); err != nil {
				return err
			}
			for range 1 + random.Intn(4) {
				operation.Steps, err = w.send(ctx, client.ProduceSync, name, &count, random, operation.Steps)
				if err != nil {
					return err
				}
			}
			if random.Float64() < historyAbortedShare {
				return client.EndTransaction(ctx, kgo.TryAbort)
			}
			operation.Outcome = "unknown"
			if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
				return err
			}
			operation.Outcome = "ok"
			return nil
		}()
		w.record(operation, started)
		if err != nil {
			client.Close()
			client = nil
		}
		time.Sleep(time.Duration(random.Float64() * float64(historyPause)))
	}
	if client != nil {
		client.Close()
	}
}

// copy is the member of a group whose positions are part of its transactions.
func (w *historyWorld) copy(name string, random *rand.Rand) {
	count, life := 0, 0
	group := "group-" + name
	var session *kgo.GroupTransactSession
	for !w.over() {
		if session == nil {
			life++
			session = must(kgo.NewGroupTransactSession(w.options(append(w.transactional(name),
				kgo.ConsumerGroup(group),
				kgo.ConsumeTopics(w.topic),
				kgo.SessionTimeout(6*time.Second),
				kgo.HeartbeatInterval(500*time.Millisecond),
				kgo.FetchIsolationLevel(kgo.ReadCommitted()),
				kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
				kgo.RequireStableFetchOffsets(),
			)...)...))
		}
		started := time.Now()
		id := fmt.Sprintf("%s life %d", name, life)
		operation := historyOperation{
			Process:       name,
			Outcome:       "failed",
			Transactional: true,
			Session:       &historySession{ID: id, By: "subscribe", Isolation: "read_committed"},
			Group:         group,
		}
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		fetches := session.PollRecords(ctx, 20)
		cancel()
		if fetches.NumRecords() == 0 {
			continue
		}
		operation.Steps = []historyStep{polled(fetches)}
		err := func() (err error) {
			ctx, cancel := context.WithTimeout(context.Background(), historyPatience)
			defer cancel()
			if err := session.Begin(); err != nil {
				return err
			}
			operation.Steps, err = w.send(ctx, session.ProduceSync, name, &count, random, operation.Steps)
			if err != nil {
				return err
			}
			commit := random.Float64() >= historyAbortedShare
			if commit {
				operation.Outcome = "unknown"
			}
			committed, err := session.End(ctx, kgo.TransactionEndTry(commit))
			if err != nil {
				return err
			}
			operation.Outcome = "failed"
			if committed {
				operation.Outcome = "ok"
			}
			return nil
		}()
		w.record(operation, started)
		if err != nil {
			session.Close()
			session = nil
		}
		time.Sleep(historyPause)
	}
	if session != nil {
		session.Close()
	}
}

// read has all partitions assigned, from their starts, over every kill.
func (w *historyWorld) read(name string, _ *rand.Rand) {
	starts := map[int32]kgo.Offset{}
	for partition := range w.partitions {
		starts[partition] = kgo.NewOffset().AtStart()
	}
	client := must(kgo.NewClient(w.options(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{w.topic: starts}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)...))
	defer client.Close()
	for !w.over() {
		started := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		fetches := client.PollRecords(ctx, 50)
		cancel()
		if fetches.NumRecords() == 0 {
			continue
		}
		w.record(historyOperation{
			Process: name,
			Outcome: "ok",
			Steps:   []historyStep{polled(fetches)},
			Session: &historySession{ID: name, By: "assign", Isolation: "read_committed"},
		}, started)
	}
}

func polled(fetches kgo.Fetches) historyStep {
	step := historyStep{Kind: "poll"}
	fetches.EachRecord(func(record *kgo.Record) {
		step.Records = append(step.Records, historyRecord{record.Partition, record.Offset, string(record.Value)})
	})
	return step
}
