package millrace;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.admin.UserScramCredentialAlteration;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourcePatternFilter;
import org.apache.kafka.common.resource.ResourceType;

/** What an administrator sets reads back as set; what is wrong is refused, each entry alone. */
public final class AdminRoundTrip implements Family {
    private Target target;
    private Observer see;
    private Admin admin;
    /** For questions that are answered by no answer. */
    private Admin brief;

    @Override
    public void run(Target target, Observer see) {
        this.target = target;
        this.see = see;
        this.admin = target.admin("default.api.timeout.ms", 15_000, "request.timeout.ms", 10_000);
        this.brief = target.admin("default.api.timeout.ms", 2_000, "request.timeout.ms", 1_500);
        see.scenario("cluster", () -> cluster());
        see.scenario("creation of topics", () -> createTopics());
        see.scenario("deletion of topics", () -> deleteTopics());
        see.scenario("partitions", () -> partitions());
        see.scenario("configs of a topic", () -> topicConfigs());
        see.scenario("every config of a topic", () -> allTopicConfigs());
        see.scenario("configs of a broker", () -> brokerConfigs());
        see.scenario("configs of a group", () -> groupConfigs());
        see.scenario("client metrics", () -> clientMetrics());
        see.scenario("offsets by time", () -> offsets());
        see.scenario("deletion of records", () -> deleteRecords());
        see.scenario("groups", () -> groups());
        see.scenario("log directories", () -> logDirs());
        see.scenario("client quotas", () -> quotas());
        see.scenario("SCRAM users", () -> scram());
        see.scenario("access rules", () -> acls());
        see.scenario("features", () -> features());
        see.scenario("replicas", () -> replicas());
        admin.close();
        brief.close();
    }

    private void cluster() throws Exception {
        see.saw("nodes", admin.describeCluster().nodes().get().stream().map(node -> node.id() + " " + node.host() + " " + node.rack()).toList());
        see.saw("controller", admin.describeCluster().controller().get().id());
        see.saw("cluster id", admin.describeCluster().clusterId().get().length() + " letters");
        see.saw("operations without being asked for", admin.describeCluster().authorizedOperations().get());
        see.saw("operations", sorted(admin.describeCluster(new org.apache.kafka.clients.admin.DescribeClusterOptions()
            .includeAuthorizedOperations(true)).authorizedOperations().get()));
        see.attempt("quorum", () -> {
            var quorum = admin.describeMetadataQuorum().quorumInfo().get();
            return "leader " + quorum.leaderId() + ", voters " + quorum.voters().stream().map(one -> one.replicaId()).toList();
        });
    }

    private void createTopics() throws Exception {
        Map<String, NewTopic> topics = new TreeMap<>();
        topics.put("a good", topic("create-good", 2, 1));
        topics.put("b defaults", new NewTopic(target.name("create-defaults"), java.util.Optional.empty(), java.util.Optional.empty()));
        topics.put("c no partitions", topic("create-none", 0, 1));
        topics.put("d two replicas", topic("create-replicas", 1, 2));
        topics.put("e bad name", topic("create bad", 1, 1));
        topics.put("f bad config value", topic("create-value", 1, 1).configs(Map.of("retention.ms", "soon")));
        topics.put("g unknown config", topic("create-unknown", 1, 1).configs(Map.of("no.such", "1")));
        topics.put("h to node 1", new NewTopic(target.name("create-assigned"), Map.of(0, List.of(1), 1, List.of(1))));
        topics.put("i to node 7", new NewTopic(target.name("create-node-7"), Map.of(0, List.of(7))));
        topics.put("j a gap in the assignment", new NewTopic(target.name("create-gap"), Map.of(1, List.of(1))));
        topics.put("k long name", new NewTopic(target.name("x".repeat(240)), 1, (short) 1));
        topics.put("l dots", new NewTopic("..", 1, (short) 1));
        topics.put("m compacted", topic("create-compacted", 1, 1).configs(Map.of("cleanup.policy", "compact,delete", "min.insync.replicas", "1")));
        var result = admin.createTopics(topics.values());
        for (Map.Entry<String, NewTopic> one : topics.entrySet()) {
            String name = one.getValue().name();
            see.attempt(one.getKey(), () -> {
                result.values().get(name).get();
                return "created, " + result.numPartitions(name).get() + " partitions, " + result.replicationFactor(name).get() + " replicas";
            });
        }
        see.saw("config of an answer", new TreeMap<>(result.config(target.name("create-compacted")).get().entries().stream()
            .filter(entry -> entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
            .collect(Collectors.toMap(ConfigEntry::name, ConfigEntry::value))));
        see.attempt("again", () -> admin.createTopics(List.of(topic("create-good", 2, 1))).all().get());
        see.attempt("one that collides", () -> admin.createTopics(List.of(topic("create_good", 2, 1))).all().get());
        see.attempt("validation only", () -> admin.createTopics(List.of(topic("create-not", 2, 1)), new CreateTopicsOptions().validateOnly(true))
            .numPartitions(target.name("create-not")).get());
        see.attempt("which creates nothing", () -> admin.describeTopics(List.of(target.name("create-not"))).allTopicNames().get());
        TopicDescription good = admin.describeTopics(List.of(target.name("create-good"))).allTopicNames().get().get(target.name("create-good"));
        see.saw("described", good.isInternal() + " " + good.partitions().stream().map(one ->
            one.partition() + " led by " + one.leader().id() + ", replicas " + one.replicas().size() + ", in sync " + one.isr().size()).toList());
        see.attempt("described by id", () -> target.plain(admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(good.topicId())))
            .allTopicIds().get().get(good.topicId()).name()));
        see.attempt("an id that is not there", () ->
            admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(org.apache.kafka.common.Uuid.randomUuid()))).allTopicIds().get());
        see.attempt("an empty name", () -> admin.describeTopics(List.of("")).allTopicNames().get());
    }

    private void deleteTopics() throws Exception {
        String topic = target.name("delete-me");
        target.createTopic(topic, 1);
        var before = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId();
        see.attempt("a topic that is there and one that is not", () -> admin.deleteTopics(List.of(topic, target.name("absent"))).all().get());
        see.attempt("afterwards", () -> Observer.settled(() -> admin.describeTopics(List.of(topic)).allTopicNames().get(), found -> false));
        target.createTopic(topic, 1);
        see.saw("made again it has another id",
            !admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId().equals(before));
        var byId = org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(before));
        see.attempt("by the old id", () -> admin.deleteTopics(byId).all().get());
        see.attempt("an invalid name", () -> admin.deleteTopics(List.of("a b")).all().get());
    }

    private void partitions() throws Exception {
        String topic = target.name("partitions");
        target.createTopic(topic, 2);
        see.attempt("to 3", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get());
        see.attempt("to 5 at node 1", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5, List.of(List.of(1), List.of(1))))).all().get());
        see.attempt("to 6 at node 7", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(6, List.of(List.of(7))))).all().get());
        see.attempt("too few places", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(8, List.of(List.of(1))))).all().get());
        see.attempt("to as many", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get());
        see.attempt("to fewer", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(1))).all().get());
        see.attempt("of a topic that is not there", () -> admin.createPartitions(Map.of(target.name("absent"), NewPartitions.increaseTo(5))).all().get());
        see.attempt("validation only", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(9)), new CreatePartitionsOptions().validateOnly(true)).all().get());
        // Kafka's broker hears of a change a moment after it was answered.
        for (int i = 0; i < 50 && partitionsOf(topic) != 5; i++) Thread.sleep(100);
        see.saw("partitions", partitionsOf(topic));
    }

    private int partitionsOf(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
    }

    private void topicConfigs() throws Exception {
        String topic = target.name("configs");
        target.createTopic(topic, 1, "retention.ms", "1000000");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        see.saw("at creation", dynamic(resource));
        see.attempt("set", () -> alter(resource, op("segment.ms", "70000", "SET"), op("cleanup.policy", "compact", "SET")));
        see.attempt("append", () -> alter(resource, op("cleanup.policy", "delete", "APPEND")));
        see.saw("then", dynamic(resource));
        see.attempt("append again", () -> alter(resource, op("cleanup.policy", "delete", "APPEND")));
        see.attempt("subtract", () -> alter(resource, op("cleanup.policy", "compact", "SUBTRACT")));
        see.attempt("delete", () -> alter(resource, op("retention.ms", "", "DELETE")));
        see.saw("at last", dynamic(resource));
        see.attempt("delete what is not set", () -> alter(resource, op("max.message.bytes", "", "DELETE")));
        see.attempt("append to a number", () -> alter(resource, op("retention.ms", "1", "APPEND")));
        see.attempt("an unknown config", () -> alter(resource, op("no.such", "1", "SET")));
        see.attempt("a word for a number", () -> alter(resource, op("retention.ms", "soon", "SET")));
        see.attempt("a number out of range", () -> alter(resource, op("segment.bytes", "1", "SET")));
        see.attempt("an unknown policy", () -> alter(resource, op("cleanup.policy", "shred", "SET")));
        see.attempt("the same twice", () -> alter(resource, op("retention.ms", "1", "SET"), op("retention.ms", "2", "SET")));
        see.attempt("a topic that is not there", () ->
            alter(new ConfigResource(ConfigResource.Type.TOPIC, target.name("absent")), op("retention.ms", "1", "SET")));
        see.attempt("to read one that is not there", () ->
            admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.TOPIC, target.name("absent")))).all().get());
        see.saw("after refusals", dynamic(resource));
        Config one = admin.describeConfigs(List.of(resource), new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true))
            .all().get().get(resource);
        for (String name : List.of("cleanup.policy", "segment.ms", "retention.ms", "max.message.bytes")) {
            ConfigEntry entry = one.get(name);
            see.saw("synonyms of " + name, entry.synonyms().stream().map(each -> each.name() + "=" + each.value() + " " + each.source()).toList());
            see.saw("documentation of " + name, entry.documentation() != null && entry.documentation().length() > 20);
        }
    }

    private void allTopicConfigs() throws Exception {
        String topic = target.name("all-configs");
        target.createTopic(topic, 1);
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
            see.saw(entry.name(), entry.value() + " " + entry.source() + " " + entry.type() + (entry.isReadOnly() ? " read only" : "")
                + (entry.isSensitive() ? " sensitive" : ""));
        }
    }

    private void brokerConfigs() throws Exception {
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
        ConfigResource all = new ConfigResource(ConfigResource.Type.BROKER, "");
        Config before = admin.describeConfigs(List.of(broker)).all().get().get(broker);
        for (String name : List.of("num.partitions", "default.replication.factor", "auto.create.topics.enable", "log.retention.hours",
            "log.segment.bytes", "message.max.bytes", "group.initial.rebalance.delay.ms", "offsets.topic.num.partitions", "node.id",
            "broker.id", "log.cleaner.threads", "min.insync.replicas", "compression.type", "log.cleanup.policy",
            "connections.max.idle.ms", "transaction.max.timeout.ms", "delete.topic.enable", "super.users")) {
            ConfigEntry entry = before.get(name);
            see.saw(name, entry == null ? "absent" : entry.value() + " " + entry.source() + " " + entry.type() + (entry.isReadOnly() ? " read only" : ""));
        }
        see.attempt("set for this broker", () -> alter(broker, op("log.cleaner.threads", "2", "SET")));
        see.attempt("set for all", () -> alter(all, op("log.cleaner.threads", "1", "SET"), op("max.connections", "20000", "SET")));
        for (int i = 0; i < 40 && !String.valueOf(dynamic(broker)).contains("max.connections"); i++) Thread.sleep(100);
        see.saw("of this broker", dynamic(broker));
        see.saw("of all", dynamic(all));
        see.attempt("taken back", () -> {
            alter(broker, op("log.cleaner.threads", "", "DELETE"));
            return alter(all, op("log.cleaner.threads", "", "DELETE"), op("max.connections", "", "DELETE"));
        });
        see.attempt("one that needs a restart", () -> alter(broker, op("node.id", "3", "SET")));
        see.attempt("an unknown one", () -> alter(broker, op("no.such", "3", "SET")));
        see.attempt("the unknown one taken back", () -> alter(broker, op("no.such", "", "DELETE")));
        see.attempt("a bad value", () -> alter(all, op("log.cleaner.threads", "some", "SET")));
        see.attempt("another broker", () -> brief.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.BROKER, "7"),
            List.of(op("log.cleaner.threads", "2", "SET")))).all().get());
        see.attempt("a broker that is no number", () ->
            admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.BROKER, "x"))).all().get());
    }

    private void groupConfigs() throws Exception {
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, target.name("group-configs"));
        see.attempt("set", () -> alter(group, op("consumer.session.timeout.ms", "50000", "SET"), op("share.auto.offset.reset", "earliest", "SET")));
        see.saw("set ones", dynamic(group));
        see.attempt("out of range", () -> alter(group, op("consumer.session.timeout.ms", "5", "SET")));
        see.attempt("unknown", () -> alter(group, op("no.such", "5", "SET")));
        for (ConfigEntry entry : admin.describeConfigs(List.of(group)).all().get().get(group).entries()) {
            see.saw(entry.name(), entry.value() + " " + entry.source() + " " + entry.type());
        }
        see.attempt("deleted", () -> alter(group, op("consumer.session.timeout.ms", "", "DELETE"), op("share.auto.offset.reset", "", "DELETE")));
        see.saw("afterwards", dynamic(group));
    }

    private void clientMetrics() throws Exception {
        ConfigResource metrics = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, target.name("metrics"));
        see.attempt("set", () -> alter(metrics, op("metrics", "org.apache.kafka.", "SET"), op("interval.ms", "1000", "SET")));
        see.saw("set ones", dynamic(metrics));
        see.attempt("a bad interval", () -> alter(metrics, op("interval.ms", "1", "SET")));
        see.attempt("a bad match", () -> alter(metrics, op("match", "x=y", "SET")));
        see.attempt("deleted", () -> alter(metrics, op("metrics", "", "DELETE"), op("interval.ms", "", "DELETE")));
    }

    private void offsets() throws Exception {
        String topic = target.name("offsets");
        target.createTopic(topic, 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        see.saw("largest timestamp of nothing", offset(partition, OffsetSpec.maxTimestamp()));
        try (KafkaProducer<String, String> producer = target.producer("linger.ms", 100)) {
            for (long time : new long[] {100, 300, 200}) producer.send(new ProducerRecord<>(topic, 0, time, "k", "v"));
        }
        see.saw("earliest", offset(partition, OffsetSpec.earliest()));
        see.saw("latest", offset(partition, OffsetSpec.latest()));
        see.saw("largest timestamp", offset(partition, OffsetSpec.maxTimestamp()));
        see.saw("from 150", offset(partition, OffsetSpec.forTimestamp(150)));
        see.saw("from 301", offset(partition, OffsetSpec.forTimestamp(301)));
        see.attempt("earliest local", () -> offset(partition, OffsetSpec.earliestLocal()));
        see.attempt("latest tiered", () -> offset(partition, OffsetSpec.latestTiered()));
        see.attempt("a partition that is not there", () -> offset(new TopicPartition(topic, 5), OffsetSpec.latest()));
    }

    private void deleteRecords() throws Exception {
        String topic = target.name("delete-records");
        target.createTopic(topic, 1);
        target.createTopic(target.name("delete-compacted"), 1, "cleanup.policy", "compact");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaProducer<String, String> producer = target.producer()) {
            for (int i = 0; i < 10; i++) producer.send(new ProducerRecord<>(topic, "v"));
        }
        see.attempt("before 4", () -> lowWatermark(partition, 4));
        see.attempt("before 2", () -> lowWatermark(partition, 2));
        see.attempt("before 11", () -> lowWatermark(partition, 11));
        see.saw("earliest", offset(partition, OffsetSpec.earliest()));
        see.attempt("all", () -> lowWatermark(partition, -1));
        see.attempt("before -2", () -> lowWatermark(partition, -2));
        see.saw("earliest at last", offset(partition, OffsetSpec.earliest()));
        see.attempt("of a compacted topic", () -> lowWatermark(new TopicPartition(target.name("delete-compacted"), 0), 0));
        see.attempt("of a partition that is not there", () -> lowWatermark(new TopicPartition(topic, 3), 0));
    }

    private void groups() throws Exception {
        String topic = target.name("admin-groups");
        String group = target.name("admin-group");
        target.createTopic(topic, 2);
        TopicPartition first = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer =
            target.consumer("group.id", group, "client.id", "c", "group.instance.id", "i", "session.timeout.ms", 6_000)) {
            consumer.subscribe(List.of(topic));
            Groups.until(() -> consumer.assignment().size() == 2, null, consumer);
            consumer.commitSync(Map.of(first, new OffsetAndMetadata(5, "note")));
            see.attempt("described", () -> describedGroup(group));
            see.attempt("listed", () -> listed(group));
            see.attempt("deletion of a busy group", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
            see.attempt("positions of a busy group set", () -> admin.alterConsumerGroupOffsets(group, Map.of(first, new OffsetAndMetadata(1))).all().get());
            see.attempt("a position of a read topic deleted", () ->
                admin.deleteConsumerGroupOffsets(group, Set.of(first)).all().get());
            see.attempt("members put out", () -> admin.removeMembersFromConsumerGroup(group,
                new org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions(
                    List.of(new org.apache.kafka.clients.admin.MemberToRemove("i")))).all().get());
            see.attempt("a member that is not there put out", () -> admin.removeMembersFromConsumerGroup(group,
                new org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions(
                    List.of(new org.apache.kafka.clients.admin.MemberToRemove("j")))).all().get());
            consumer.unsubscribe();
        }
        see.attempt("described when empty", () -> describedGroup(group));
        see.attempt("positions", () -> positions(group));
        see.attempt("positions set", () -> admin.alterConsumerGroupOffsets(group, Map.of(first, new OffsetAndMetadata(9))).all().get());
        see.attempt("positions of a partition that is not there set", () ->
            admin.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(topic, 9), new OffsetAndMetadata(9))).all().get());
        see.attempt("positions then", () -> positions(group));
        see.attempt("position deleted", () -> admin.deleteConsumerGroupOffsets(group, Set.of(first)).all().get());
        see.attempt("positions after that", () -> positions(group));
        see.attempt("deleted", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        see.attempt("deleted again", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        see.attempt("described when gone", () -> describedGroup(group));
        see.attempt("positions of a group that is not there", () -> positions(group));
        see.attempt("positions of a group that is not there deleted", () -> admin.deleteConsumerGroupOffsets(group, Set.of(first)).all().get());
        see.attempt("positions of a new group set", () ->
            admin.alterConsumerGroupOffsets(target.name("new-group"), Map.of(first, new OffsetAndMetadata(3))).all().get());
        see.attempt("the new group", () -> describedGroup(target.name("new-group")));
        see.attempt("an empty group id", () -> admin.describeConsumerGroups(List.of("")).all().get());
    }

    private void logDirs() throws Exception {
        String topic = target.name("log-dirs");
        target.createTopic(topic, 1);
        try (KafkaProducer<String, String> producer = target.producer()) {
            producer.send(new ProducerRecord<>(topic, "v")).get();
        }
        Map<String, LogDirDescription> dirs = admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1);
        see.saw("directories", dirs.size());
        LogDirDescription dir = dirs.values().iterator().next();
        see.saw("path is absolute", dirs.keySet().iterator().next().startsWith("/"));
        see.saw("error", dir.error());
        see.saw("total and usable", (dir.totalBytes().orElse(-1) > 1_000_000) + " " + (dir.usableBytes().orElse(-1) > 1_000_000));
        see.attempt("replica", () -> {
            var replica = dir.replicaInfos().get(new TopicPartition(topic, 0));
            return (replica.size() > 0 && replica.size() < 1_000) + " " + replica.offsetLag() + " " + replica.isFuture();
        });
        see.attempt("moved", () -> admin.alterReplicaLogDirs(Map.of(
            new org.apache.kafka.common.TopicPartitionReplica(topic, 0, 1), "/nowhere")).all().get());
        see.attempt("of another broker", () -> brief.describeLogDirs(List.of(7)).allDescriptions().get());
    }

    private void quotas() throws Exception {
        Map<String, String> both = new HashMap<>();
        both.put("user", target.name("u"));
        both.put("client-id", null);
        List<Map<String, String>> entities = List.of(
            Map.of("user", target.name("u")), Map.of("client-id", target.name("c")),
            Map.of("user", target.name("u"), "client-id", target.name("c")), both, Map.of("ip", "127.0.0.2"));
        for (Map<String, String> entity : entities) {
            String name = target.plain(new TreeMap<>(entity).toString());
            String key = entity.containsKey("ip") ? "connection_creation_rate" : "producer_byte_rate";
            see.attempt("set " + name, () -> quota(entity, key, 1_000_000.0, false));
        }
        see.attempt("set an unknown one", () -> quota(Map.of("user", target.name("u")), "no_such", 1.0, false));
        see.attempt("set a negative one", () -> quota(Map.of("user", target.name("u")), "producer_byte_rate", -1.0, false));
        see.attempt("set for an unknown kind", () -> quota(Map.of("planet", "earth"), "producer_byte_rate", 1.0, false));
        see.attempt("set for user and ip", () -> quota(Map.of("user", "u", "ip", "127.0.0.2"), "producer_byte_rate", 1.0, false));
        see.attempt("set a user's for an ip", () -> quota(Map.of("ip", "127.0.0.2"), "producer_byte_rate", 1.0, false));
        see.attempt("set for a bad ip", () -> quota(Map.of("ip", "nowhere.invalid"), "connection_creation_rate", 1.0, false));
        see.attempt("validation only", () -> quota(Map.of("user", target.name("v")), "producer_byte_rate", 1.0, true));
        see.saw("of the user", filtered(ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntity("user", target.name("u"))))));
        see.saw("of the user alone", filtered(ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofEntity("user", target.name("u"))))));
        see.saw("of any user and the default client", filtered(ClientQuotaFilter.containsOnly(List.of(
            ClientQuotaFilterComponent.ofEntityType("user"), ClientQuotaFilterComponent.ofDefaultEntity("client-id")))));
        see.saw("of the validated user", filtered(ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntity("user", target.name("v"))))));
        see.attempt("an unknown kind", () -> filtered(ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntityType("planet")))));
        for (Map<String, String> entity : entities) {
            quota(entity, entity.containsKey("ip") ? "connection_creation_rate" : "producer_byte_rate", null, false);
        }
        see.saw("after removal", filtered(ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntity("user", target.name("u"))))));
    }

    private void scram() throws Exception {
        String user = target.name("scram-user");
        see.attempt("described when not there", () -> admin.describeUserScramCredentials(List.of(user)).description(user).get());
        see.attempt("set", () -> scram(new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret")));
        see.attempt("a second mechanism", () -> scram(new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192), "secret")));
        see.attempt("described", () -> admin.describeUserScramCredentials(List.of(user)).description(user).get().credentialInfos().stream()
            .map(Object::toString).sorted().toList());
        see.attempt("too few iterations", () -> scram(new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 100), "secret")));
        see.attempt("too many iterations", () -> scram(new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 20_000), "secret")));
        see.attempt("no name", () -> scram(new UserScramCredentialUpsertion("", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret")));
        see.attempt("unknown mechanism", () -> scram(new UserScramCredentialDeletion(user, ScramMechanism.UNKNOWN)));
        see.attempt("twice in one request", () -> scram(
            new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256), new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256)));
        see.attempt("deleted", () -> scram(new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256)));
        see.attempt("deleted again", () -> scram(new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256)));
        see.attempt("deleted at last", () -> scram(new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512)));
        see.attempt("described at last", () -> admin.describeUserScramCredentials(List.of(user)).description(user).get());
    }

    private void acls() throws Exception {
        String principal = "User:" + target.name("acl");
        AclBinding literal = rule(ResourceType.TOPIC, target.name("acl-topic"), PatternType.LITERAL, principal, AclOperation.READ, AclPermissionType.ALLOW);
        AclBinding prefixed = rule(ResourceType.TOPIC, target.name("acl-"), PatternType.PREFIXED, principal, AclOperation.WRITE, AclPermissionType.DENY);
        AclBinding every = rule(ResourceType.GROUP, "*", PatternType.LITERAL, principal, AclOperation.ALL, AclPermissionType.ALLOW);
        see.attempt("created", () -> admin.createAcls(List.of(literal, prefixed, every)).all().get());
        see.attempt("created again", () -> admin.createAcls(List.of(literal)).all().get());
        see.attempt("no principal type", () -> admin.createAcls(List.of(rule(ResourceType.TOPIC, "x", PatternType.LITERAL, "nobody",
            AclOperation.READ, AclPermissionType.ALLOW))).all().get());
        see.attempt("an operation that a topic does not have", () -> admin.createAcls(List.of(rule(ResourceType.TOPIC, "x", PatternType.LITERAL, principal,
            AclOperation.IDEMPOTENT_WRITE, AclPermissionType.ALLOW))).all().get());
        see.attempt("a cluster of another name", () -> admin.createAcls(List.of(rule(ResourceType.CLUSTER, "x", PatternType.LITERAL, principal,
            AclOperation.ALTER, AclPermissionType.ALLOW))).all().get());
        see.attempt("of the principal", () -> rules(filter(ResourceType.ANY, null, PatternType.ANY, principal)));
        see.attempt("that match a topic", () -> rules(filter(ResourceType.TOPIC, target.name("acl-topic"), PatternType.MATCH, principal)));
        see.attempt("that match a group", () -> rules(filter(ResourceType.GROUP, "any", PatternType.MATCH, principal)));
        see.attempt("literal ones", () -> rules(filter(ResourceType.TOPIC, null, PatternType.LITERAL, principal)));
        see.attempt("deleted", () -> admin.deleteAcls(List.of(filter(ResourceType.TOPIC, null, PatternType.ANY, principal))).all().get().size());
        see.attempt("left", () -> rules(filter(ResourceType.ANY, null, PatternType.ANY, principal)));
        see.attempt("deleted at last", () -> admin.deleteAcls(List.of(filter(ResourceType.ANY, null, PatternType.ANY, principal))).all().get().size());
    }

    private void features() throws Exception {
        var features = admin.describeFeatures().featureMetadata().get();
        see.saw("finalized", new TreeMap<>(features.finalizedFeatures()));
        see.saw("supported", new TreeMap<>(features.supportedFeatures()));
        see.attempt("an unknown one", () -> admin.updateFeatures(Map.of("no.such", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)),
            new UpdateFeaturesOptions()).all().get());
        see.attempt("too high", () -> admin.updateFeatures(Map.of("group.version", new FeatureUpdate((short) 99, FeatureUpdate.UpgradeType.UPGRADE)),
            new UpdateFeaturesOptions()).all().get());
        see.attempt("as it is", () -> admin.updateFeatures(Map.of("group.version", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)),
            new UpdateFeaturesOptions().validateOnly(true)).all().get());
    }

    private void replicas() throws Exception {
        String topic = target.name("replicas");
        target.createTopic(topic, 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        see.attempt("preferred leader", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get().get(partition)
            .map(Observer::nameOf).orElse("elected"));
        see.attempt("unclean leader", () -> admin.electLeaders(ElectionType.UNCLEAN, Set.of(partition)).partitions().get().get(partition)
            .map(Observer::nameOf).orElse("elected"));
        see.attempt("leader of a partition that is not there", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(new TopicPartition(topic, 4)))
            .partitions().get().values().iterator().next().map(Observer::nameOf).orElse("elected"));
        see.attempt("to node 1", () -> admin.alterPartitionReassignments(Map.of(partition,
            java.util.Optional.of(new NewPartitionReassignment(List.of(1))))).all().get());
        see.attempt("to node 7", () -> admin.alterPartitionReassignments(Map.of(partition,
            java.util.Optional.of(new NewPartitionReassignment(List.of(7))))).all().get());
        see.attempt("cancelled", () -> admin.alterPartitionReassignments(Map.of(partition, java.util.Optional.empty())).all().get());
        see.attempt("listed", () -> admin.listPartitionReassignments().reassignments().get());
    }

    private NewTopic topic(String name, int partitions, int replicas) {
        return new NewTopic(target.name(name), partitions, (short) replicas);
    }

    private static AlterConfigOp op(String name, String value, String type) {
        return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.valueOf(type));
    }

    private Object alter(ConfigResource resource, AlterConfigOp... ops) throws Exception {
        Object done = admin.incrementalAlterConfigs(Map.of(resource, Arrays.asList(ops))).all().get();
        // Kafka's broker hears of it from its controller a moment later.
        Thread.sleep(700);
        return done;
    }

    /** What is set, in the order of the alphabet. */
    private Object dynamic(ConfigResource resource) throws Exception {
        Map<String, String> set = new TreeMap<>();
        for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
            if (entry.source().name().startsWith("DYNAMIC")) set.put(entry.name(), entry.value() + " " + entry.source());
        }
        return set;
    }

    private String offset(TopicPartition partition, OffsetSpec spec) throws Exception {
        var found = brief.listOffsets(Map.of(partition, spec))
            .partitionResult(partition).get();
        return found.offset() + " at " + found.timestamp() + " epoch " + found.leaderEpoch().orElse(-1);
    }

    private Object lowWatermark(TopicPartition partition, long before) throws Exception {
        return brief.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(before))).lowWatermarks().get(partition).get().lowWatermark();
    }

    private String describedGroup(String group) throws Exception {
        var one = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        return one.groupState() + " " + one.type() + " " + one.partitionAssignor() + " " + one.isSimpleConsumerGroup() + " " + one.members().stream()
            .map(member -> member.clientId() + " " + member.groupInstanceId().orElse("-") + " " + member.host() + " "
                + member.assignment().topicPartitions().size()).toList();
    }

    private Object listed(String group) throws Exception {
        return admin.listConsumerGroups().all().get().stream().filter(one -> one.groupId().equals(group))
            .map(one -> one.groupState() + " " + one.type() + " " + one.isSimpleConsumerGroup()).toList();
    }

    private String positions(String group) throws Exception {
        Map<String, String> all = new TreeMap<>();
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((partition, at) ->
            all.put(target.plain(partition.toString()), at == null ? "none" : at.offset() + " '" + at.metadata() + "'"));
        return all.toString();
    }

    private Object quota(Map<String, String> entity, String key, Double value, boolean validateOnly) throws Exception {
        return admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(entity),
            List.of(new ClientQuotaAlteration.Op(key, value)))),
            new org.apache.kafka.clients.admin.AlterClientQuotasOptions().validateOnly(validateOnly)).all().get();
    }

    private String filtered(ClientQuotaFilter filter) throws Exception {
        List<String> lines = new ArrayList<>();
        admin.describeClientQuotas(filter).entities().get().forEach((entity, values) ->
            lines.add(target.plain(new TreeMap<>(entity.entries()) + " " + new TreeMap<>(values))));
        Collections.sort(lines);
        return lines.toString();
    }

    private Object scram(UserScramCredentialAlteration... alterations) throws Exception {
        return admin.alterUserScramCredentials(Arrays.asList(alterations)).all().get();
    }

    private static AclBinding rule(ResourceType type, String name, PatternType pattern, String principal, AclOperation operation, AclPermissionType permission) {
        return new AclBinding(new ResourcePattern(type, name, pattern), new AccessControlEntry(principal, "*", operation, permission));
    }

    private static AclBindingFilter filter(ResourceType type, String name, PatternType pattern, String principal) {
        return new AclBindingFilter(new ResourcePatternFilter(type, name, pattern),
            new AccessControlEntryFilter(principal, null, AclOperation.ANY, AclPermissionType.ANY));
    }

    private String rules(AclBindingFilter filter) throws Exception {
        return admin.describeAcls(filter).values().get().stream().map(one -> target.plain(one.toString())).sorted().toList().toString();
    }

    private static String sorted(Collection<?> values) {
        return values.stream().map(Object::toString).sorted().toList().toString();
    }
}
