package millrace;

import static millrace.Target.read;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Consumer groups of both protocols: who gets what, who is put out, what is committed. */
public final class Groups implements Family {
    private static final int PARTITIONS = 6;

    private record Protocol(String name, Object[] settings) {}

    private static final List<Protocol> PROTOCOLS = List.of(
        new Protocol("range", new Object[] {"partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor"}),
        new Protocol("cooperative-sticky",
            new Object[] {"partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"}),
        new Protocol("consumer", new Object[] {"group.protocol", "consumer"}));

    private Target target;
    private Observer see;

    @Override
    public void run(Target target, Observer see) {
        this.target = target;
        this.see = see;
        for (Protocol protocol : PROTOCOLS) {
            String name = protocol.name();
            see.scenario(name + ": members come and go", () -> comeAndGo(protocol));
            see.scenario(name + ": static members", () -> staticMembers(protocol));
            see.scenario(name + ": added partitions", () -> addedPartitions(protocol));
            see.scenario(name + ": a member that stops polling", () -> stopsPolling(protocol));
        }
        see.scenario("commits", () -> commits());
        see.scenario("where a new group begins", () -> reset());
        see.scenario("pattern", () -> pattern());
        see.scenario("refused settings", () -> refused());
    }

    private void comeAndGo(Protocol protocol) throws Exception {
        String topic = target.name("groups-" + protocol.name());
        target.createTopic(topic, PARTITIONS);
        Map<String, Integer> times = new HashMap<>();
        KafkaConsumer<String, String> a = member(protocol, topic, "a");
        KafkaConsumer<String, String> b = member(protocol, topic, "b");
        KafkaConsumer<String, String> c = member(protocol, topic, "c");
        try {
            a.subscribe(List.of(topic));
            until(() -> a.assignment().size() == PARTITIONS, times, a);
            see.saw("one", a.assignment().size());
            produce(topic, "first", 60);
            until(() -> times.size() == 60, times, a);
            b.subscribe(List.of(topic));
            until(() -> a.assignment().size() == 3 && b.assignment().size() == 3, times, a, b);
            see.saw("two", a.assignment().size() + " " + b.assignment().size());
            produce(topic, "second", 60);
            until(() -> times.size() == 120, times, a, b);
            c.subscribe(List.of(topic));
            until(() -> a.assignment().size() == 2 && b.assignment().size() == 2 && c.assignment().size() == 2, times, a, b, c);
            see.saw("three", a.assignment().size() + " " + b.assignment().size() + " " + c.assignment().size());
            produce(topic, "third", 60);
            until(() -> times.size() == 180, times, a, b, c);
            b.close();
            until(() -> a.assignment().size() == 3 && c.assignment().size() == 3, times, a, c);
            see.saw("without b", a.assignment().size() + " " + c.assignment().size());
            produce(topic, "fourth", 60);
            until(() -> times.size() == 240, times, a, c);
            a.close();
            until(() -> c.assignment().size() == PARTITIONS, times, c);
            see.saw("c alone", c.assignment().size());
        } finally {
            for (KafkaConsumer<String, String> one : List.of(a, b, c)) one.close();
        }
        see.saw("records", times.size());
        see.saw("most often read", times.values().stream().max(Integer::compare).orElse(0));
        try (KafkaConsumer<String, String> again = member(protocol, topic, "d")) {
            again.subscribe(List.of(topic));
            until(() -> again.assignment().size() == PARTITIONS, times, again);
            see.saw("again from the committed positions", read(again, 1, 1_000).size());
            see.saw("committed in all", again.committed(again.assignment()).values().stream().mapToLong(OffsetAndMetadata::offset).sum());
        }
    }

    private void staticMembers(Protocol protocol) throws Exception {
        String topic = target.name("groups-static-" + protocol.name());
        target.createTopic(topic, 4);
        Map<String, Integer> times = new HashMap<>();
        KafkaConsumer<String, String> one = member(protocol, topic, "one", "group.instance.id", "i1");
        KafkaConsumer<String, String> two = member(protocol, topic, "two", "group.instance.id", "i2");
        KafkaConsumer<String, String> back = member(protocol, topic, "back", "group.instance.id", "i1");
        KafkaConsumer<String, String> rival = member(protocol, topic, "rival", "group.instance.id", "i1");
        try {
            one.subscribe(List.of(topic));
            two.subscribe(List.of(topic));
            until(() -> one.assignment().size() == 2 && two.assignment().size() == 2, times, one, two);
            see.saw("two members", one.assignment().size() + " " + two.assignment().size());
            Set<TopicPartition> before = new HashSet<>(one.assignment());
            Set<TopicPartition> others = new HashSet<>(two.assignment());
            int generation = two.groupMetadata().generationId();
            one.close();
            back.subscribe(List.of(topic));
            until(() -> back.assignment().size() == 2, times, back, two);
            see.saw("i1 has the same partitions again", back.assignment().equals(before));
            see.saw("i2 was not disturbed", two.assignment().equals(others) && two.groupMetadata().generationId() == generation);
            rival.subscribe(List.of(topic));
            String error = untilError(rival, back);
            see.saw("a second i1", error);
        } finally {
            for (KafkaConsumer<String, String> each : List.of(one, two, back, rival)) closeQuietly(each);
        }
    }

    private void addedPartitions(Protocol protocol) throws Exception {
        String topic = target.name("groups-added-" + protocol.name());
        target.createTopic(topic, 1);
        Map<String, Integer> times = new HashMap<>();
        try (KafkaConsumer<String, String> a = member(protocol, topic, "a", "metadata.max.age.ms", 500);
            org.apache.kafka.clients.admin.Admin admin = target.admin()) {
            a.subscribe(List.of(topic));
            until(() -> a.assignment().size() == 1, times, a);
            admin.createPartitions(Map.of(topic, org.apache.kafka.clients.admin.NewPartitions.increaseTo(3))).all().get();
            until(() -> a.assignment().size() == 3, times, a);
            see.saw("partitions", a.assignment().size());
        }
    }

    private void stopsPolling(Protocol protocol) throws Exception {
        String topic = target.name("groups-stops-" + protocol.name());
        target.createTopic(topic, 2);
        produce(topic, "x", 4);
        Map<String, Integer> times = new HashMap<>();
        KafkaConsumer<String, String> slow = member(protocol, topic, "slow", "max.poll.interval.ms", 1_500);
        KafkaConsumer<String, String> other = member(protocol, topic, "other");
        try {
            slow.subscribe(List.of(topic));
            until(() -> times.size() == 4, times, slow);
            other.subscribe(List.of(topic));
            until(() -> other.assignment().size() == 2, times, other);
            see.saw("the other gets all", other.assignment().size());
            see.attempt("a commit of the slow one", () -> {
                slow.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(1)), Duration.ofSeconds(5));
                return "committed";
            });
        } finally {
            closeQuietly(slow);
            closeQuietly(other);
        }
    }

    private void commits() throws Exception {
        String topic = target.name("groups-commits");
        target.createTopic(topic, 2);
        TopicPartition first = new TopicPartition(topic, 0);
        TopicPartition second = new TopicPartition(topic, 1);
        try (KafkaConsumer<String, String> consumer = target.consumer("group.id", target.name("commits"))) {
            see.saw("nothing committed", consumer.committed(Set.of(first, second)).values());
            consumer.assign(List.of(first));
            consumer.commitSync(Map.of(first, new OffsetAndMetadata(7, "note")));
            consumer.commitSync(Map.of(second, new OffsetAndMetadata(1_000_000)));
            see.saw("with a note", consumer.committed(Set.of(first)).get(first));
            see.saw("behind the end, without a note", consumer.committed(Set.of(second)).get(second));
            consumer.commitSync(Map.of(first, new OffsetAndMetadata(3)));
            see.saw("backwards", consumer.committed(Set.of(first)).get(first).offset());
            see.attempt("a note of 4096 letters", () -> commit(consumer, first, "n".repeat(4096)));
            see.attempt("a note of 4097 letters", () -> commit(consumer, first, "n".repeat(4097)));
            see.attempt("a topic that is not there", () ->
                commit(consumer, new TopicPartition(target.name("groups-absent"), 0), "n"));
            see.attempt("a negative position", () -> commit(consumer, first, null, -1));
        }
        try (KafkaConsumer<String, String> member = target.consumer("group.id", target.name("commits-busy"));
            KafkaConsumer<String, String> stranger = target.consumer("group.id", target.name("commits-busy"))) {
            member.subscribe(List.of(topic));
            until(() -> member.assignment().size() == 2, new HashMap<>(), member);
            stranger.assign(List.of(first));
            see.attempt("of a stranger while there are members", () -> commit(stranger, first, "n"));
            see.attempt("of a member", () -> commit(member, first, "n"));
        }
    }

    private void reset() throws Exception {
        String topic = target.name("groups-reset");
        target.createTopic(topic, 1);
        produce(topic, "x", 10);
        for (String reset : List.of("earliest", "latest", "none")) {
            try (KafkaConsumer<String, String> consumer =
                target.consumer("group.id", target.name("reset-" + reset), "auto.offset.reset", reset)) {
                consumer.subscribe(List.of(topic));
                see.attempt(reset, () -> {
                    int records = read(consumer, 10, reset.equals("latest") ? 3_000 : 20_000).size();
                    return records + " records, then at " + consumer.position(new TopicPartition(topic, 0));
                });
            }
        }
    }

    private void pattern() throws Exception {
        target.createTopic(target.name("groups-pattern-1"), 1);
        Map<String, Integer> times = new HashMap<>();
        try (KafkaConsumer<String, String> consumer =
            target.consumer("group.id", target.name("pattern"), "metadata.max.age.ms", 500)) {
            consumer.subscribe(Pattern.compile(Pattern.quote(target.name("groups-pattern-")) + ".*"));
            until(() -> consumer.assignment().size() == 1, times, consumer);
            target.createTopic(target.name("groups-pattern-2"), 2);
            until(() -> consumer.assignment().size() == 3, times, consumer);
            see.saw("assigned", consumer.assignment().stream().map(p -> target.plain(p.toString())).sorted().collect(Collectors.toList()));
        }
    }

    private void refused() throws Exception {
        target.createTopic(target.name("groups-refused"), 1);
        Map<String, Object[]> cases = new LinkedHashMap<>();
        cases.put("session of 10 ms", new Object[] {"session.timeout.ms", 10, "heartbeat.interval.ms", 5});
        cases.put("session of an hour", new Object[] {"session.timeout.ms", 3_600_000});
        cases.put("assignor that is not there", new Object[] {"group.protocol", "consumer", "group.remote.assignor", "absent"});
        cases.put("empty group", new Object[] {"group.id", ""});
        for (Map.Entry<String, Object[]> one : cases.entrySet()) {
            see.attempt(one.getKey(), () -> {
                List<Object> settings = new ArrayList<>(List.of("group.id", target.name("refused")));
                settings.addAll(List.of(one.getValue()));
                try (KafkaConsumer<String, String> consumer = target.consumer(settings.toArray())) {
                    consumer.subscribe(List.of(target.name("groups-refused")));
                    return untilError(consumer);
                }
            });
        }
        try (KafkaConsumer<String, String> range = member(PROTOCOLS.get(0), "mixed", "a");
            KafkaConsumer<String, String> other = member(PROTOCOLS.get(1), "mixed", "b")) {
            range.subscribe(List.of(target.name("groups-refused")));
            until(() -> range.assignment().size() == 1, new HashMap<>(), range);
            other.subscribe(List.of(target.name("groups-refused")));
            see.saw("no assignor in common", untilError(other, range));
        }
    }

    private KafkaConsumer<String, String> member(Protocol protocol, String topic, String clientId, Object... more) {
        boolean classic = !protocol.name().equals("consumer");
        List<Object> settings = new ArrayList<>(List.of("group.id", target.name("g-" + target.plain(topic)), "client.id", clientId));
        settings.addAll(List.of(protocol.settings()));
        if (classic) settings.addAll(List.of("session.timeout.ms", 10_000, "heartbeat.interval.ms", 200));
        settings.addAll(List.of(more));
        return target.consumer(settings.toArray());
    }

    private void produce(String topic, String word, int count) {
        try (KafkaProducer<String, String> producer = target.producer()) {
            for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, i % producer.partitionsFor(topic).size(), "k", word + i));
        }
    }

    private static String commit(KafkaConsumer<String, String> consumer, TopicPartition partition, String note, long... offset) {
        long position = offset.length == 0 ? 1 : offset[0];
        consumer.commitSync(Map.of(partition, new OffsetAndMetadata(position, note)), Duration.ofSeconds(5));
        return "committed";
    }

    /** Polls all members in turn, counting what they read and committing it, until it is so or 20 s are over. */
    @SafeVarargs
    static void until(BooleanSupplier done, Map<String, Integer> times, KafkaConsumer<String, String>... members) {
        long end = System.nanoTime() + 20_000_000_000L;
        while (!done.getAsBoolean() && System.nanoTime() < end) {
            for (KafkaConsumer<String, String> member : members) {
                for (ConsumerRecord<String, String> record : member.poll(Duration.ofMillis(50))) {
                    if (times != null) times.merge(record.partition() + "/" + record.offset(), 1, Integer::sum);
                }
            }
        }
    }

    /** The error that ends one of them, or "none" after 6 s. */
    @SafeVarargs
    static String untilError(KafkaConsumer<String, String>... members) {
        long end = System.nanoTime() + 6_000_000_000L;
        while (System.nanoTime() < end) {
            for (int i = 0; i < members.length; i++) {
                try {
                    members[i].poll(Duration.ofMillis(50));
                } catch (Exception thrown) {
                    return (i == 0 ? "" : "the first: ") + Observer.nameOf(thrown);
                }
            }
        }
        return "none";
    }

    private static void closeQuietly(KafkaConsumer<String, String> consumer) {
        try {
            consumer.close();
        } catch (Exception alreadyTold) {
            // A member that was put out says so again at its end.
        }
    }
}
