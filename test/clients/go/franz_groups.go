package main

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// member consumes in a group and remembers what it owns and has read.
type member struct {
	client *kgo.Client
	mu     sync.Mutex
	owned  map[int32]bool
	read   map[string]int
	done   chan struct{}
}

func (w *world) join(ctx context.Context, group, topic string, options ...kgo.Opt) (*member, error) {
	m := &member{owned: map[int32]bool{}, read: map[string]int{}, done: make(chan struct{})}
	own := func(is bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(ctx context.Context, client *kgo.Client, moved map[string][]int32) {
			if !is {
				_ = client.CommitUncommittedOffsets(ctx)
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, partition := range moved[topic] {
				if is {
					m.owned[partition] = true
				} else {
					delete(m.owned, partition)
				}
			}
		}
	}
	base := []kgo.Opt{
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.HeartbeatInterval(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(own(true)),
		kgo.OnPartitionsRevoked(own(false)),
		kgo.OnPartitionsLost(own(false)),
		kgo.AutoCommitInterval(100 * time.Millisecond),
	}
	client, err := w.client(append(base, options...)...)
	if err != nil {
		return nil, err
	}
	m.client = client
	go func() {
		defer close(m.done)
		for {
			fetches := client.PollFetches(ctx)
			if fetches.IsClientClosed() || ctx.Err() != nil {
				return
			}
			m.mu.Lock()
			for _, record := range fetches.Records() {
				m.read[string(record.Key)]++
			}
			m.mu.Unlock()
		}
	}()
	return m, nil
}

func (m *member) leave() {
	m.client.Close()
	<-m.done
}

func (m *member) partitions() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	owned := []int32{}
	for partition := range m.owned {
		owned = append(owned, partition)
	}
	sort.Slice(owned, func(i, j int) bool { return owned[i] < owned[j] })
	return owned
}

// settled waits until the members own all partitions, each one of them, as evenly as can be.
func settled(ctx context.Context, partitions int, members ...*member) error {
	for {
		seen := map[int32]int{}
		even := true
		for _, m := range members {
			owned := m.partitions()
			even = even && len(owned) >= partitions/len(members)
			for _, partition := range owned {
				seen[partition]++
			}
		}
		once := len(seen) == partitions
		for _, owners := range seen {
			once = once && owners == 1
		}
		if once && even {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not settled: %v", seen)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// readAll waits until the keys k0..kn-1 have been read by any of the members.
func readAll(ctx context.Context, count int, members ...*member) error {
	for {
		seen := map[string]bool{}
		for _, m := range members {
			m.mu.Lock()
			for key := range m.read {
				seen[key] = true
			}
			m.mu.Unlock()
		}
		if len(seen) == count {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("read %d of %d", len(seen), count)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// rebalances runs a group through joins and leaves while records come.
func rebalances(ctx context.Context, w *world, kind string, options ...kgo.Opt) error {
	topic, group := w.name(kind+"-topic"), w.name(kind+"-group")
	admin, err := w.topic(ctx, topic, 6, nil)
	if err != nil {
		return err
	}
	defer admin.Close()
	producer, err := w.client(kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer producer.Close()
	sent := 0
	send := func() error {
		batch := []*kgo.Record{}
		for range 60 {
			key := []byte(fmt.Sprintf("k%d", sent))
			batch = append(batch, &kgo.Record{Key: key, Value: []byte("v")})
			sent++
		}
		return producer.ProduceSync(ctx, batch...).FirstErr()
	}
	options = append(options, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	first, err := w.join(ctx, group, topic, options...)
	if err != nil {
		return err
	}
	if err := send(); err != nil {
		return err
	}
	if err := settled(ctx, 6, first); err != nil {
		return err
	}
	w.observe(kind+": one member", "owns all")
	second, err := w.join(ctx, group, topic, options...)
	if err != nil {
		return err
	}
	third, err := w.join(ctx, group, topic, options...)
	if err != nil {
		return err
	}
	if err := settled(ctx, 6, first, second, third); err != nil {
		return err
	}
	w.observe(kind+": three members", "each partition once")
	if err := send(); err != nil {
		return err
	}
	if err := readAll(ctx, sent, first, second, third); err != nil {
		return err
	}
	first.leave()
	if err := settled(ctx, 6, second, third); err != nil {
		return err
	}
	if err := send(); err != nil {
		return err
	}
	if err := readAll(ctx, sent, first, second, third); err != nil {
		return err
	}
	w.observe(kind+": two members left", "all read")
	second.leave()
	third.leave()
	committed, err := admin.FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	total := int64(0)
	committed.Each(func(o offsetResponse) { total += o.At })
	w.observe(kind+": committed", total == int64(sent))
	listed, err := admin.ListGroups(ctx)
	if err != nil {
		return err
	}
	w.observe(kind+": listed", []string{listed[group].State, listed[group].ProtocolType})
	deleted, err := admin.DeleteGroups(ctx, group)
	if err != nil {
		return err
	}
	w.observe(kind+": deleted", code(deleted[group].Err))
	return nil
}

func franzClassicGroup(ctx context.Context, w *world) error {
	if err := rebalances(ctx, w, "cooperative", kgo.Balancers(kgo.CooperativeStickyBalancer())); err != nil {
		return err
	}
	return rebalances(ctx, w, "range", kgo.Balancers(kgo.RangeBalancer()))
}

func franzConsumerGroup(ctx context.Context, w *world) error {
	return rebalances(ctx, w, "consumer", kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
}

func franzStaticMember(ctx context.Context, w *world) error {
	topic, group := w.name("static-topic"), w.name("static-group")
	admin, err := w.topic(ctx, topic, 4, nil)
	if err != nil {
		return err
	}
	defer admin.Close()
	a, err := w.join(ctx, group, topic, kgo.InstanceID("a"))
	if err != nil {
		return err
	}
	b, err := w.join(ctx, group, topic, kgo.InstanceID("b"))
	if err != nil {
		return err
	}
	if err := settled(ctx, 4, a, b); err != nil {
		return err
	}
	before := a.partitions()
	_, generation := a.client.GroupMetadata()
	b.leave()
	again, err := w.join(ctx, group, topic, kgo.InstanceID("b"))
	if err != nil {
		return err
	}
	if err := settled(ctx, 4, a, again); err != nil {
		return err
	}
	_, later := a.client.GroupMetadata()
	w.observe("a returning static member moves nothing", fmt.Sprint(before) == fmt.Sprint(a.partitions()))
	w.observe("generations between", later-generation)
	a.leave()
	again.leave()
	return nil
}

func franzShareGroup(ctx context.Context, w *world) error {
	topic, group := w.name("share-topic"), w.name("share-group")
	admin, err := w.topic(ctx, topic, 2, nil)
	if err != nil {
		return err
	}
	defer admin.Close()
	if err := w.groupConfig(ctx, group, "share.auto.offset.reset", "earliest"); err != nil {
		return err
	}
	producer, err := w.client(kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer producer.Close()
	batch := []*kgo.Record{}
	for i := range 200 {
		batch = append(batch, &kgo.Record{Key: []byte(fmt.Sprintf("k%d", i)), Value: []byte(fmt.Sprint(i))})
	}
	if err := producer.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		return err
	}
	var mu sync.Mutex
	accepted := map[string]int{}
	released := map[string]int{}
	work := func() (*kgo.Client, chan error, error) {
		client, err := w.client(kgo.ShareGroup(group), kgo.ConsumeTopics(topic), kgo.ShareMaxRecords(20))
		if err != nil {
			return nil, nil, err
		}
		ended := make(chan error, 1)
		go func() {
			for {
				fetches := client.PollFetches(ctx)
				if fetches.IsClientClosed() || ctx.Err() != nil {
					ended <- ctx.Err()
					return
				}
				mu.Lock()
				for _, record := range fetches.Records() {
					key := string(record.Key)
					var number int
					fmt.Sscanf(key, "k%d", &number)
					switch {
					case number%10 == 3 && released[key] == 0:
						released[key]++
						record.Ack(kgo.AckRelease)
					case number%50 == 7:
						accepted["rejected "+key]++
						record.Ack(kgo.AckReject)
					default:
						accepted[key]++
						record.Ack(kgo.AckAccept)
					}
				}
				mu.Unlock()
			}
		}()
		return client, ended, nil
	}
	one, oneEnded, err := work()
	if err != nil {
		return err
	}
	two, twoEnded, err := work()
	if err != nil {
		return err
	}
	for {
		mu.Lock()
		count := len(accepted)
		mu.Unlock()
		if count == 200 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("settled %d of 200 records", count)
		case <-time.After(50 * time.Millisecond):
		}
	}
	one.Close()
	two.Close()
	<-oneEnded
	<-twoEnded
	repeated := 0
	for _, times := range accepted {
		if times > 1 {
			repeated++
		}
	}
	w.observe("settled more than once", repeated)
	w.observe("released and delivered again", len(released))
	described, err := admin.DescribeShareGroups(ctx, group)
	if err != nil {
		return err
	}
	w.observe("state", described[group].GroupState)
	return nil
}
