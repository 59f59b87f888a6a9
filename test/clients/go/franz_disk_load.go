package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Load for a broker whose process or disk is taken away meanwhile: an idempotent and a transactional producer, each with
// a journal as test/crash/disk/ledger.ts has it. Runs until its standard input ends.

const (
	diskKeys = 50
	// diskTooLate is refused by the broker, for certain: further in the future than topics allow.
	diskTooLate  = 2 * time.Hour
	diskPatience = 10 * time.Second
)

type diskLoad struct {
	address    string
	run        string
	folder     string
	topics     []string
	partitions int
	rate       float64
	stopping   chan struct{}
}

// franzDiskLoad takes: address, journal folder, run, seed, records per second of each producer, partitions, topics.
func franzDiskLoad(args []string) error {
	if len(args) < 7 {
		return fmt.Errorf("want <host:port> <journal folder> <run> <seed> <rate> <partitions> <topic>...")
	}
	seed := must(strconv.ParseInt(args[3], 10, 64))
	load := &diskLoad{
		address:    args[0],
		folder:     args[1],
		run:        args[2],
		rate:       must(strconv.ParseFloat(args[4], 64)),
		partitions: must(strconv.Atoi(args[5])),
		topics:     args[6:],
		stopping:   make(chan struct{}),
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(load.stopping)
	}()
	var running sync.WaitGroup
	for i, work := range []func(*diskProducer){(*diskProducer).sendPlain, (*diskProducer).transact} {
		running.Add(1)
		go func() {
			defer running.Done()
			name := []string{"franz-plain", "franz-txn"}[i] + os.Getenv("LOAD_SUFFIX")
			journal := must(os.Create(filepath.Join(load.folder, name+".journal")))
			work(&diskProducer{
				diskLoad: load,
				name:     name,
				journal:  journal,
				random:   rand.New(rand.NewSource(seed + int64(i))),
				next:     map[string]int{},
			})
		}()
	}
	running.Wait()
	return nil
}

type diskProducer struct {
	*diskLoad
	name    string
	journal *os.File
	writing sync.Mutex
	random  *rand.Rand
	life    int
	txn     int
	// next seq by topic and partition.
	next map[string]int
}

func (p *diskProducer) over() bool {
	select {
	case <-p.stopping:
		return true
	default:
		return false
	}
}

func (p *diskProducer) write(format string, values ...any) {
	p.writing.Lock()
	defer p.writing.Unlock()
	must(fmt.Fprintf(p.journal, format+"\n", values...))
}

// open begins a new identity.
func (p *diskProducer) open(more ...kgo.Opt) *kgo.Client {
	p.life++
	p.write("L %d", p.life)
	base := []kgo.Opt{
		kgo.SeedBrokers(p.address),
		kgo.ClientID("disk-" + p.name),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(2_000),
		// Below the topics' max.message.bytes.
		kgo.ProducerBatchMaxBytes(60_000),
		kgo.ProducerLinger(2 * time.Millisecond),
		kgo.DialTimeout(2 * time.Second),
		kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.RetryBackoffFn(func(tries int) time.Duration { return time.Duration(min(tries, 5)) * 20 * time.Millisecond }),
	}
	return must(kgo.NewClient(append(base, more...)...))
}

// produce sends some records to one partition; the journal says so before.
func (p *diskProducer) produce(client *kgo.Client, txn, count int, late time.Duration, done func(error)) {
	topic := p.topics[p.random.Intn(len(p.topics))]
	partition := p.random.Intn(p.partitions)
	lane := fmt.Sprintf("%s %d", topic, partition)
	first := p.next[lane]
	p.next[lane] += count
	p.write("I %s %d %d %d", lane, first, count, txn)
	padding := p.padding()
	timestamp := time.Now().Add(late)
	for i := range count {
		seq := first + i
		record := &kgo.Record{
			Topic:     topic,
			Partition: int32(partition),
			Key:       []byte(fmt.Sprintf("%s/%d/%d", p.name, partition, seq%diskKeys)),
			Timestamp: timestamp,
			Value:     p.payload(txn, topic, partition, seq, padding),
		}
		client.Produce(context.Background(), record, func(got *kgo.Record, err error) {
			switch {
			case err == nil:
				p.write("O %s %d %d", lane, seq, got.Offset)
			case errors.Is(err, kerr.InvalidTimestamp):
				p.write("F %s %d %s", lane, seq, "INVALID_TIMESTAMP")
			default:
				p.write("U %s %d %s", lane, seq, strings.ReplaceAll(err.Error(), "\n", " "))
			}
			if done != nil {
				done(err)
			}
		})
	}
}

func (p *diskProducer) payload(txn int, topic string, partition, seq, padding int) []byte {
	text := fmt.Sprintf("%s %s %d %d %s %d %d %s ", p.run, p.name, p.life, txn, topic, partition, seq,
		strings.Repeat("f", padding))
	sum := sha256.Sum256([]byte(text))
	return []byte(text + hex.EncodeToString(sum[:8]))
}

// padding is small for most records and large for some.
func (p *diskProducer) padding() int {
	if p.random.Intn(50) == 0 {
		return p.random.Intn(20_000)
	}
	return 1 + p.random.Intn(600)
}

// pace waits for as long as that many records may take.
func (p *diskProducer) pace(records int) {
	select {
	case <-p.stopping:
	case <-time.After(time.Duration(float64(records) / p.rate * float64(time.Second))):
	}
}

// sendPlain sends and does not wait; now and then it gives up its identity with all that is under way.
func (p *diskProducer) sendPlain() {
	client := p.open()
	for !p.over() {
		if p.random.Intn(300) == 0 {
			client.Close()
			client = p.open()
		}
		if p.random.Intn(100) == 0 {
			// Alone on its way, so that nothing else is refused with it.
			ctx, cancel := context.WithTimeout(context.Background(), diskPatience)
			flushed := client.Flush(ctx) == nil
			if flushed {
				p.produce(client, 0, 1, diskTooLate, nil)
				_ = client.Flush(ctx)
			}
			cancel()
		}
		count := 1 + p.random.Intn(20)
		p.produce(client, 0, count, 0, nil)
		p.pace(count)
	}
	ctx, cancel := context.WithTimeout(context.Background(), diskPatience)
	defer cancel()
	_ = client.Flush(ctx)
	client.Close()
}

// transact does one transaction after another; after an unknown end it is a new identity under the same id.
func (p *diskProducer) transact() {
	var client *kgo.Client
	for !p.over() {
		if client == nil {
			client = p.open(kgo.TransactionalID(p.name), kgo.TransactionTimeout(10*time.Second))
		}
		if err := p.transactOnce(client); err != nil {
			client.Close()
			client = nil
			p.pace(5)
		}
	}
	if client != nil {
		client.Close()
	}
}

var errAbandoned = errors.New("given up on purpose")

func (p *diskProducer) transactOnce(client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), diskPatience)
	defer cancel()
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	p.txn++
	txn := p.txn
	p.write("B %d", txn)
	var failed error
	var failing sync.Mutex
	records := 0
	for range 1 + p.random.Intn(4) {
		count := 1 + p.random.Intn(6)
		records += count
		p.produce(client, txn, count, 0, func(err error) {
			failing.Lock()
			defer failing.Unlock()
			if err != nil {
				failed = err
			}
		})
	}
	if p.random.Intn(60) == 0 {
		p.write("A %d", txn)
		return errAbandoned
	}
	err := client.Flush(ctx)
	failing.Lock()
	if err == nil {
		err = failed
	}
	failing.Unlock()
	if err != nil {
		p.write("A %d", txn)
		return err
	}
	if p.random.Float64() < historyAbortedShare {
		p.write("A %d", txn)
		err = client.EndTransaction(ctx, kgo.TryAbort)
	} else {
		p.write("C %d", txn)
		if err = client.EndTransaction(ctx, kgo.TryCommit); err == nil {
			p.write("D %d", txn)
		} else {
			p.write("X %d", txn)
		}
	}
	p.pace(records)
	return err
}
