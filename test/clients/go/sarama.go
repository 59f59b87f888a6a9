package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
)

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.ClientID = "sarama"
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Group.Heartbeat.Interval = 100 * time.Millisecond
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	config.Net.MaxOpenRequests = 1
	return config
}

func saramaCode(err error) string {
	var kafka sarama.KError
	var topic *sarama.TopicError
	if errors.As(err, &topic) {
		kafka = topic.Err
	} else if !errors.As(err, &kafka) {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	return fmt.Sprintf("code %d", int16(kafka))
}

func (w *world) saramaTopic(name string, partitions int32) (sarama.ClusterAdmin, error) {
	admin, err := sarama.NewClusterAdmin([]string{w.address}, saramaConfig())
	if err != nil {
		return nil, err
	}
	if err := admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false); err != nil {
		return nil, err
	}
	waiting, err := w.topicReady(name, partitions)
	if err != nil {
		return nil, err
	}
	waiting.Close()
	return admin, nil
}

// topicReady waits for the leaders of a new topic.
func (w *world) topicReady(name string, partitions int32) (*kadm.Client, error) {
	client, err := w.client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	admin := kadm.NewClient(client)
	return admin, led(ctx, admin, name, partitions)
}

// saramaRead reads that many records of partition 0 from its start.
func (w *world) saramaRead(ctx context.Context, topic string, count int) ([]string, error) {
	consumer, err := sarama.NewConsumer([]string{w.address}, saramaConfig())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	read := []string{}
	for len(read) < count {
		select {
		case message := <-partition.Messages():
			read = append(read, string(message.Value))
		case <-ctx.Done():
			return read, fmt.Errorf("read %d of %d", len(read), count)
		}
	}
	return read, nil
}

func saramaCodecs(ctx context.Context, w *world) error {
	codecs := []sarama.CompressionCodec{
		sarama.CompressionNone,
		sarama.CompressionGZIP,
		sarama.CompressionSnappy,
		sarama.CompressionLZ4,
		sarama.CompressionZSTD,
	}
	for _, codec := range codecs {
		topic := w.name("sarama-" + codec.String())
		admin, err := w.saramaTopic(topic, 1)
		if err != nil {
			return err
		}
		config := saramaConfig()
		config.Producer.Compression = codec
		config.Producer.Idempotent = true
		producer, err := sarama.NewSyncProducer([]string{w.address}, config)
		if err != nil {
			return err
		}
		batch := []*sarama.ProducerMessage{}
		for i := range 50 {
			batch = append(batch, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint(i))})
		}
		if err := producer.SendMessages(batch); err != nil {
			return err
		}
		producer.Close()
		read, err := w.saramaRead(ctx, topic, 50)
		if err != nil {
			return err
		}
		ordered := true
		for i, value := range read {
			ordered = ordered && value == fmt.Sprint(i)
		}
		w.observe(codec.String(), ordered)
		admin.Close()
	}
	return nil
}

type saramaMember struct {
	mu   sync.Mutex
	read map[string]int
	all  chan struct{}
	want int
}

func (*saramaMember) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (m *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		session.MarkMessage(message, "seen")
		m.mu.Lock()
		m.read[string(message.Value)]++
		if len(m.read) == m.want {
			close(m.all)
			m.want = -1
		}
		m.mu.Unlock()
	}
	return nil
}

func saramaGroup(ctx context.Context, w *world) error {
	topic, group := w.name("sarama-group-topic"), w.name("sarama-group")
	admin, err := w.saramaTopic(topic, 4)
	if err != nil {
		return err
	}
	defer admin.Close()
	producer, err := sarama.NewSyncProducer([]string{w.address}, saramaConfig())
	if err != nil {
		return err
	}
	defer producer.Close()
	for i := range 100 {
		message := &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(fmt.Sprint(i)), Value: sarama.StringEncoder(fmt.Sprint(i))}
		if _, _, err := producer.SendMessage(message); err != nil {
			return err
		}
	}
	shared := &saramaMember{read: map[string]int{}, all: make(chan struct{}), want: 100}
	groups := []sarama.ConsumerGroup{}
	for range 2 {
		one, err := sarama.NewConsumerGroup([]string{w.address}, group, saramaConfig())
		if err != nil {
			return err
		}
		groups = append(groups, one)
		go func() {
			for one.Consume(ctx, []string{topic}, shared) == nil && ctx.Err() == nil {
			}
		}()
	}
	select {
	case <-shared.all:
		w.observe("read", "all")
	case <-ctx.Done():
		return fmt.Errorf("read %d of 100", len(shared.read))
	}
	for _, one := range groups {
		one.Close()
	}
	offsets, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1, 2, 3}})
	if err != nil {
		return err
	}
	total := int64(0)
	for _, block := range offsets.Blocks[topic] {
		total += block.Offset
	}
	w.observe("committed", total)
	described, err := admin.DescribeConsumerGroups([]string{group})
	if err != nil {
		return err
	}
	w.observe("state", described[0].State)
	w.observe("deleted", saramaCode(admin.DeleteConsumerGroup(group)))
	return nil
}

func saramaTransactions(ctx context.Context, w *world) error {
	topic := w.name("sarama-txn")
	admin, err := w.saramaTopic(topic, 1)
	if err != nil {
		return err
	}
	defer admin.Close()
	config := saramaConfig()
	config.Producer.Idempotent = true
	config.Producer.Transaction.ID = w.name("sarama-id")
	producer, err := sarama.NewSyncProducer([]string{w.address}, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	for i := range 6 {
		if err := producer.BeginTxn(); err != nil {
			return err
		}
		if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint(i))}); err != nil {
			return err
		}
		if i%2 == 0 {
			err = producer.CommitTxn()
		} else {
			err = producer.AbortTxn()
		}
		if err != nil {
			return err
		}
	}
	read, err := w.saramaRead(ctx, topic, 3)
	if err != nil {
		return err
	}
	w.observe("read_committed", read)
	return nil
}

func saramaAdmin(_ context.Context, w *world) error {
	topic := w.name("sarama-admin")
	admin, err := w.saramaTopic(topic, 1)
	if err != nil {
		return err
	}
	defer admin.Close()
	w.observe("made again", saramaCode(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)))
	w.observe("grown", saramaCode(admin.CreatePartitions(topic, 3, nil, false)))
	value := "100000"
	w.observe("altered", saramaCode(admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": &value}, false)))
	var entries []sarama.ConfigEntry
	// Kafka's broker hears of a change a moment after it was answered.
	for i := 0; i < 50; i++ {
		entries, err = admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}})
		if err != nil {
			return err
		}
		if entries[0].Value == value {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.observe("described", entries[0].Value)
	topics, err := admin.ListTopics()
	if err != nil {
		return err
	}
	w.observe("partitions", topics[topic].NumPartitions)
	groups, err := admin.ListConsumerGroups()
	if err != nil {
		return err
	}
	names := []string{}
	for name := range groups {
		if name == topic {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	w.observe("groups of that name", names)
	w.observe("deleted", saramaCode(admin.DeleteTopic(topic)))
	return nil
}
