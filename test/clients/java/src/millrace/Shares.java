package millrace;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Share groups: who holds a record, how often it comes, what is left of it. Needs a client from 4.2. */
public final class Shares implements Family {
    private Target target;
    private Observer see;

    @Override
    public void run(Target target, Observer see) {
        this.target = target;
        this.see = see;
        see.scenario("the first group", () -> first());
        see.scenario("implicit acknowledgement", () -> implicit());
        see.scenario("accept, release, reject", () -> explicit());
        see.scenario("deliveries are counted", () -> counted());
        see.scenario("a lock runs out", () -> lock());
        see.scenario("renewal", () -> renewal());
        see.scenario("two members of one partition", () -> two());
        see.scenario("transactions", () -> transactions());
        see.scenario("administration", () -> administration());
        see.scenario("misuse", () -> misuse());
    }

    /** Kafka makes the topic of its share coordinator only now. */
    private void first() throws Exception {
        String topic = prepared("share-first", 1);
        try (KafkaShareConsumer<String, String> one = member("share-first", "implicit")) {
            one.subscribe(List.of(topic));
            see.saw("records", values(read(one, 1, 60_000)));
        }
    }

    private void implicit() throws Exception {
        String topic = prepared("share-implicit", 10);
        try (KafkaShareConsumer<String, String> one = member("share-implicit", "implicit")) {
            one.subscribe(List.of(topic));
            see.saw("records", values(read(one, 10)));
            one.commitSync();
        }
        produce(topic, 10, 12);
        try (KafkaShareConsumer<String, String> one = member("share-implicit", "implicit")) {
            one.subscribe(List.of(topic));
            see.saw("then", values(read(one, 2)));
        }
    }

    private void explicit() throws Exception {
        String topic = prepared("share-explicit", 6);
        try (KafkaShareConsumer<String, String> one = member("share-explicit", "explicit")) {
            one.subscribe(List.of(topic));
            List<ConsumerRecord<String, String>> got = read(one, 6);
            see.saw("first time", values(got));
            AcknowledgeType[] types = {AcknowledgeType.ACCEPT, AcknowledgeType.RELEASE, AcknowledgeType.REJECT};
            for (int i = 0; i < got.size(); i++) one.acknowledge(got.get(i), types[i % 3]);
            see.saw("committed", one.commitSync().values().stream().map(error -> error.map(Observer::nameOf).orElse("taken")).toList());
            List<ConsumerRecord<String, String>> again = read(one, 2);
            see.saw("second time", values(again));
            for (ConsumerRecord<String, String> record : again) one.acknowledge(record);
            one.commitSync();
            see.saw("third time", values(read(one, 1, 1_000)));
        }
    }

    private void counted() throws Exception {
        String topic = prepared("share-counted", 1);
        List<String> counts = new ArrayList<>();
        try (KafkaShareConsumer<String, String> one = member("share-counted", "explicit")) {
            one.subscribe(List.of(topic));
            for (int i = 0; i < 7; i++) {
                List<ConsumerRecord<String, String>> got = read(one, 1, i < 5 ? 10_000 : 1_000);
                for (ConsumerRecord<String, String> record : got) {
                    counts.add(String.valueOf(record.deliveryCount().orElse((short) -1)));
                    one.acknowledge(record, AcknowledgeType.RELEASE);
                }
                one.commitSync();
            }
        }
        see.saw("counts", counts);
    }

    private void lock() throws Exception {
        String topic = prepared("share-lock", 3);
        groupConfig("share-lock", "share.record.lock.duration.ms", "1500");
        try (KafkaShareConsumer<String, String> slow = member("share-lock", "explicit");
            KafkaShareConsumer<String, String> next = member("share-lock", "explicit")) {
            slow.subscribe(List.of(topic));
            List<ConsumerRecord<String, String>> held = read(slow, 3);
            see.saw("held", values(held));
            next.subscribe(List.of(topic));
            List<ConsumerRecord<String, String>> got = read(next, 3);
            see.saw("after the lock", values(got));
            see.saw("delivered for the", got.stream().map(record -> record.deliveryCount().orElse((short) -1)).toList());
            for (ConsumerRecord<String, String> record : held) slow.acknowledge(record, AcknowledgeType.ACCEPT);
            see.attempt("a late acknowledgement", () ->
                slow.commitSync().values().stream().map(error -> error.map(Observer::nameOf).orElse("taken")).toList());
            for (ConsumerRecord<String, String> record : got) next.acknowledge(record, AcknowledgeType.ACCEPT);
            see.saw("that of the holder", next.commitSync().values().stream().map(error -> error.map(Observer::nameOf).orElse("taken")).toList());
        }
    }

    private void renewal() throws Exception {
        String topic = prepared("share-renew", 1);
        groupConfig("share-renew", "share.record.lock.duration.ms", "2000");
        try (KafkaShareConsumer<String, String> one = member("share-renew", "explicit")) {
            see.saw("lock duration before the first", one.acquisitionLockTimeoutMs().isPresent());
            one.subscribe(List.of(topic));
            ConsumerRecord<String, String> record = read(one, 1).get(0);
            see.saw("lock duration", one.acquisitionLockTimeoutMs().orElse(-1));
            for (int i = 0; i < 3; i++) {
                Thread.sleep(1_000);
                one.acknowledge(record, AcknowledgeType.RENEW);
                see.saw("renewal " + i, one.commitSync().values().stream().map(error -> error.map(Observer::nameOf).orElse("taken")).toList());
                // A renewed record is handed out again by the same member, without being a new delivery.
                record = read(one, 1).get(0);
                see.saw("delivery after renewal " + i, record.deliveryCount().orElse((short) -1));
            }
            one.acknowledge(record, AcknowledgeType.ACCEPT);
            see.saw("accepted", one.commitSync().values().stream().map(error -> error.map(Observer::nameOf).orElse("taken")).toList());
            see.saw("nothing comes again", values(read(one, 1, 2_500)));
        }
    }

    private void two() throws Exception {
        String topic = prepared("share-two", 0);
        List<String> all = new ArrayList<>();
        try (KafkaShareConsumer<String, String> a = member("share-two", "implicit", "max.poll.records", 5);
            KafkaShareConsumer<String, String> b = member("share-two", "implicit", "max.poll.records", 5)) {
            a.subscribe(List.of(topic));
            b.subscribe(List.of(topic));
            a.poll(Duration.ofSeconds(2));
            b.poll(Duration.ofSeconds(2));
            long end = System.nanoTime() + 20_000_000_000L;
            int ofA = 0;
            int ofB = 0;
            for (int sent = 0; all.size() < 100 && System.nanoTime() < end; ) {
                if (sent < 100) produce(topic, sent, sent += 10);
                for (ConsumerRecord<String, String> record : a.poll(Duration.ofMillis(100))) {
                    all.add(record.value());
                    ofA++;
                }
                for (ConsumerRecord<String, String> record : b.poll(Duration.ofMillis(100))) {
                    all.add(record.value());
                    ofB++;
                }
            }
            see.saw("both had some", ofA > 0 && ofB > 0);
        }
        see.saw("records", all.size());
        see.saw("each once", Set.copyOf(all).size());
    }

    private void transactions() throws Exception {
        String topic = prepared("share-txn", 0);
        groupConfig("share-txn", "share.isolation.level", "read_committed");
        try (KafkaProducer<String, String> producer = target.producer("transactional.id", target.name("share-txn"));
            KafkaShareConsumer<String, String> one = member("share-txn", "implicit")) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "aborted"));
            producer.abortTransaction();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "committed"));
            producer.commitTransaction();
            one.subscribe(List.of(topic));
            see.saw("committed ones", values(read(one, 1)));
        }
    }

    private void administration() throws Exception {
        String topic = prepared("share-admin", 5);
        String group = target.name("share-admin");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Admin admin = target.admin("default.api.timeout.ms", 8_000, "request.timeout.ms", 4_000)) {
            try (KafkaShareConsumer<String, String> one = member("share-admin", "implicit")) {
                one.subscribe(List.of(topic));
                read(one, 5);
                one.commitSync();
                see.attempt("described", () -> {
                    var described = admin.describeShareGroups(List.of(group)).all().get().get(group);
                    return described.groupState() + " " + described.members().stream().map(member -> member.clientId() + " " + member.host()
                        + " " + member.assignment().topicPartitions().size()).toList();
                });
                see.attempt("listed", () -> admin.listGroups().all().get().stream().filter(each -> each.groupId().equals(group))
                    .map(each -> each.type().orElse(null) + " " + each.groupState().orElse(null) + " '" + each.protocol() + "'").toList());
                see.attempt("deleted while busy", () -> admin.deleteShareGroups(List.of(group)).all().get());
                see.attempt("positions set while busy", () -> admin.alterShareGroupOffsets(group, Map.of(partition, 2L)).all().get());
                see.attempt("as a consumer group", () -> admin.describeConsumerGroups(List.of(group)).all().get());
            }
            see.attempt("described when empty", () -> admin.describeShareGroups(List.of(group)).all().get().get(group).groupState());
            see.attempt("positions", () -> positions(admin, group));
            see.attempt("positions set", () -> admin.alterShareGroupOffsets(group, Map.of(partition, 2L)).all().get());
            see.attempt("positions then", () -> positions(admin, group));
            try (KafkaShareConsumer<String, String> one = member("share-admin", "implicit")) {
                one.subscribe(List.of(topic));
                see.saw("read from there", values(read(one, 3)));
            }
            see.attempt("positions of the topic deleted", () -> admin.deleteShareGroupOffsets(group, Set.of(topic)).all().get());
            see.attempt("positions after that", () -> positions(admin, group));
            see.attempt("deleted", () -> admin.deleteShareGroups(List.of(group)).all().get());
            see.attempt("described when gone", () -> admin.describeShareGroups(List.of(group)).all().get());
            see.attempt("positions when gone", () -> positions(admin, group));
            see.attempt("deleted again", () -> admin.deleteShareGroups(List.of(group)).all().get());
        }
    }

    private void misuse() throws Exception {
        String topic = prepared("share-misuse", 2);
        try (KafkaShareConsumer<String, String> share = member("share-misuse", "implicit")) {
            share.subscribe(List.of(topic));
            read(share, 2);
            try (var consumer = target.consumer("group.id", target.name("share-misuse"))) {
                consumer.subscribe(List.of(topic));
                see.saw("a classic consumer in a share group", Groups.untilError(consumer));
            }
            try (var consumer = target.consumer("group.id", target.name("share-misuse"), "group.protocol", "consumer")) {
                consumer.subscribe(List.of(topic));
                see.saw("a consumer in a share group", Groups.untilError(consumer));
            }
        }
        try (var consumer = target.consumer("group.id", target.name("share-not"))) {
            consumer.subscribe(List.of(topic));
            Groups.until(() -> !consumer.assignment().isEmpty(), null, consumer);
            try (KafkaShareConsumer<String, String> share = member("share-not", "implicit")) {
                share.subscribe(List.of(topic));
                see.attempt("a share consumer in a consumer group", () -> read(share, 1, 3_000).size());
            }
        }
    }

    /** A topic with so many records and a group that begins at the first. */
    private String prepared(String name, int records) throws Exception {
        String topic = target.name(name);
        target.createTopic(topic, 1);
        produce(topic, 0, records);
        groupConfig(name, "share.auto.offset.reset", "earliest");
        return topic;
    }

    private void groupConfig(String group, String name, String value) throws Exception {
        try (Admin admin = target.admin()) {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, target.name(group));
            AlterConfigOp set = new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
            admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
            Thread.sleep(200);
        }
    }

    private void produce(String topic, int from, int to) {
        try (KafkaProducer<String, String> producer = target.producer()) {
            for (int i = from; i < to; i++) producer.send(new ProducerRecord<>(topic, "v" + i));
        }
    }

    private KafkaShareConsumer<String, String> member(String group, String mode, Object... more) {
        List<Object> settings = new ArrayList<>(List.of("group.id", target.name(group), "client.id", "m",
            "share.acknowledgement.mode", mode));
        settings.addAll(List.of(more));
        return new KafkaShareConsumer<>(target.with(settings.toArray()), new StringDeserializer(), new StringDeserializer());
    }

    private static List<ConsumerRecord<String, String>> read(KafkaShareConsumer<String, String> consumer, int count) {
        return read(consumer, count, 15_000);
    }

    /** In one poll if possible: with explicit acknowledgement a second poll is refused while records are held. */
    private static List<ConsumerRecord<String, String>> read(KafkaShareConsumer<String, String> consumer, int count, long timeoutMs) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        long end = System.nanoTime() + timeoutMs * 1_000_000;
        while (got.size() < count && System.nanoTime() < end) {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) got.add(record);
        }
        return got;
    }

    private String positions(Admin admin, String group) throws Exception {
        Map<String, String> all = new TreeMap<>();
        admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(group).get().forEach((partition, at) ->
            all.put(target.plain(partition.toString()), at == null ? "none" : at.startOffset() + ", lag " + at.lag().orElse(-1L)));
        return all.toString();
    }

    private static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }
}
