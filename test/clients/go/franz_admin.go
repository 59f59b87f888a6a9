package main

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type offsetResponse = kadm.OffsetResponse

func franzAdmin(ctx context.Context, w *world) error {
	topic := w.name("admin")
	admin, err := w.topic(ctx, topic, 2, map[string]*string{"retention.ms": text("3600000")})
	if err != nil {
		return err
	}
	defer admin.Close()
	_, err = admin.CreateTopic(ctx, 1, 1, nil, topic)
	w.observe("made again", code(err))
	_, err = admin.CreateTopic(ctx, 1, 1, nil, "not/a/name")
	w.observe("bad name", code(err))
	_, err = admin.CreateTopic(ctx, 1, 3, nil, w.name("replicas"))
	w.observe("three replicas", code(err))
	_, err = admin.CreateTopic(ctx, 1, 1, map[string]*string{"no.such": text("1")}, w.name("config"))
	w.observe("bad setting", code(err))
	grown, err := admin.UpdatePartitions(ctx, 4, topic)
	if err != nil {
		return err
	}
	w.observe("grown", code(grown[topic].Err))
	shrunk, err := admin.UpdatePartitions(ctx, 1, topic)
	if err != nil {
		return err
	}
	w.observe("shrunk", code(shrunk[topic].Err))
	if err := led(ctx, admin, topic, 4); err != nil {
		return err
	}
	altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "segment.bytes", Value: text("2000000")}}, topic)
	if err != nil {
		return err
	}
	w.observe("altered", code(altered[0].Err))
	described, err := describedOwn(ctx, admin, topic, "segment.bytes")
	if err != nil {
		return err
	}
	for _, config := range described[0].Configs {
		if config.Source == kmsg.ConfigSourceDynamicTopicConfig {
			w.observe("own setting "+config.Key, config.MaybeValue())
		}
	}
	dirs, err := admin.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return err
	}
	held := 0
	dirs.Each(func(dir kadm.DescribedLogDir) {
		dir.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			if p.Topic == topic {
				held++
			}
		})
	})
	w.observe("partitions in log directories", held)
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 0, -1)
	committed, err := admin.CommitOffsets(ctx, w.name("simple"), offsets)
	if err != nil {
		return err
	}
	w.observe("simple commit", code(committed.Error()))
	removed, err := admin.DeleteOffsets(ctx, w.name("simple"), kadm.TopicsSet{topic: {0: {}}})
	if err != nil {
		return err
	}
	w.observe("offset deleted", code(removed.Error()))
	features, err := admin.ApiVersions(ctx)
	if err != nil {
		return err
	}
	features.Each(func(v kadm.BrokerApiVersions) {
		_, has := v.KeyMaxVersion(int16(kmsg.ConsumerGroupHeartbeat))
		w.observe("KIP-848", has)
	})
	gone, err := admin.DeleteTopics(ctx, topic, w.name("never"))
	if err != nil {
		return err
	}
	w.observe("deleted", []string{code(gone[topic].Err), code(gone[w.name("never")].Err)})
	return nil
}

// groupConfig sets a setting of a group.
func (w *world) groupConfig(ctx context.Context, group, name, value string) error {
	client, err := w.client()
	if err != nil {
		return err
	}
	defer client.Close()
	request := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType = kmsg.ConfigResourceTypeGroupConfig
	resource.ResourceName = group
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = name, &value
	resource.Configs = append(resource.Configs, config)
	request.Resources = append(request.Resources, resource)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	if response.Resources[0].ErrorCode != 0 {
		return fmt.Errorf("cannot set %s of %s: got code %d", name, group, response.Resources[0].ErrorCode)
	}
	return nil
}

func franzSecurity(ctx context.Context, w *world) error {
	client, err := w.client()
	if err != nil {
		return err
	}
	admin := kadm.NewClient(client)
	defer admin.Close()
	user := w.name("user")
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		set, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: user, Mechanism: mechanism, Iterations: 4096, Password: "secret"}})
		if err != nil {
			return err
		}
		w.observe("set "+mechanism.String(), code(set[user].Err))
	}
	described, err := admin.DescribeUserSCRAMs(ctx, user)
	if err != nil {
		return err
	}
	found := []string{}
	for _, info := range described[user].CredInfos {
		found = append(found, fmt.Sprintf("%s %d", info.Mechanism, info.Iterations))
	}
	sort.Strings(found)
	w.observe("described", found)
	acls := kadm.NewACLs().Topics(w.name("t")).Allow("User:" + user).Operations(kadm.OpRead)
	_, err = admin.CreateACLs(ctx, acls)
	w.observe("access rule", code(err))
	return nil
}

func franzQuota(ctx context.Context, w *world) error {
	topic := w.name("quota")
	admin, err := w.topic(ctx, topic, 1, nil)
	if err != nil {
		return err
	}
	defer admin.Close()
	id := w.name("client")
	entity := kadm.ClientQuotaEntity{{Type: "client-id", Name: &id}}
	set, err := admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{
		Entity: entity,
		Ops:    []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 50_000}},
	}})
	if err != nil {
		return err
	}
	w.observe("set", code(set[0].Err))
	asked := []kadm.DescribeClientQuotaComponent{{Type: "client-id", MatchType: kmsg.QuotasMatchTypeExact, MatchName: &id}}
	described, err := admin.DescribeClientQuotas(ctx, true, asked)
	// Kafka's broker hears of a change a moment after it was answered.
	for i := 0; i < 50 && err == nil && len(described) == 0; i++ {
		time.Sleep(100 * time.Millisecond)
		described, err = admin.DescribeClientQuotas(ctx, true, asked)
	}
	if err != nil {
		return err
	}
	for _, quota := range described {
		for _, value := range quota.Values {
			w.observe("described "+value.Key, value.Value)
		}
	}
	throttled := make(chan time.Duration, 100)
	hook := &throttleHook{throttled}
	client, err := w.client(kgo.ClientID(id), kgo.DefaultProduceTopic(topic), kgo.WithHooks(hook), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer client.Close()
	for range 8 {
		if err := client.ProduceSync(ctx, &kgo.Record{Value: make([]byte, 100_000)}).FirstErr(); err != nil {
			return err
		}
		if len(throttled) > 0 {
			break
		}
	}
	w.observe("throttled", len(throttled) > 0)
	return nil
}

type throttleHook struct{ throttled chan time.Duration }

func (h *throttleHook) OnBrokerThrottle(_ kgo.BrokerMetadata, interval time.Duration, _ bool) {
	select {
	case h.throttled <- interval:
	default:
	}
}

// describedOwn waits until the topic has this setting: Kafka's broker hears of a change a moment after it was answered.
func describedOwn(ctx context.Context, admin *kadm.Client, topic, key string) (kadm.ResourceConfigs, error) {
	for i := 0; ; i++ {
		described, err := admin.DescribeTopicConfigs(ctx, topic)
		if err != nil || i == 50 {
			return described, err
		}
		for _, config := range described[0].Configs {
			if config.Key == key && config.Source == kmsg.ConfigSourceDynamicTopicConfig {
				return described, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}
