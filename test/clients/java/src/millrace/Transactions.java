package millrace;

import static millrace.Target.read;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Exactly once: what readers see of transactions, who is fenced, what the tools see of open ones. */
public final class Transactions implements Family {
    private Target target;
    private Observer see;

    @Override
    public void run(Target target, Observer see) {
        this.target = target;
        this.see = see;
        see.scenario("copy loop", () -> copyLoop());
        see.scenario("isolation", () -> isolation());
        see.scenario("fencing", () -> fencing());
        see.scenario("a transaction that takes too long", () -> timeout());
        see.scenario("positions of an open transaction", () -> openPositions());
        see.scenario("administration", () -> administration());
        see.scenario("an idempotent producer", () -> idempotent());
        see.scenario("a crash of the writer", () -> crash());
    }

    /** Reads, changes, writes; every third time it aborts and starts again from the committed positions. */
    private void copyLoop() throws Exception {
        String input = target.name("txn-input");
        String output = target.name("txn-output");
        String group = target.name("txn-copier");
        target.createTopic(input, 2);
        target.createTopic(output, 2);
        try (KafkaProducer<String, String> producer = target.producer()) {
            for (int i = 0; i < 300; i++) producer.send(new ProducerRecord<>(input, i % 2, "k", "v" + i));
        }
        int round = 0;
        int copied = 0;
        try (KafkaProducer<String, String> producer = target.producer("transactional.id", target.name("copier"));
            KafkaConsumer<String, String> consumer = target.consumer("group.id", group, "enable.auto.commit", false,
                "max.poll.records", 25, "isolation.level", "read_committed")) {
            producer.initTransactions();
            consumer.subscribe(List.of(input));
            long end = System.nanoTime() + 40_000_000_000L;
            while (copied < 300 && System.nanoTime() < end) {
                ConsumerRecords<String, String> batch = consumer.poll(Target.SOON);
                if (batch.isEmpty()) continue;
                producer.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
                for (ConsumerRecord<String, String> record : batch) {
                    producer.send(new ProducerRecord<>(output, record.partition(), "k", record.value() + "!"));
                    positions.put(new TopicPartition(input, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                producer.sendOffsetsToTransaction(positions, consumer.groupMetadata());
                if (round++ % 3 == 1) {
                    producer.flush();
                    producer.abortTransaction();
                    Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
                    committed.forEach((partition, at) -> consumer.seek(partition, at == null ? 0 : at.offset()));
                } else {
                    producer.commitTransaction();
                    copied += batch.count();
                }
            }
        }
        see.saw("copied", copied);
        List<String> values = new ArrayList<>();
        for (ConsumerRecord<String, String> record : all(output, 2, "read_committed", 300)) values.add(record.value());
        see.saw("committed records", values.size());
        see.saw("each once", new HashSet<>(values).size());
        see.saw("more of them uncommitted", all(output, 2, "read_uncommitted", 301).size() > 300);
        try (Admin admin = target.admin()) {
            see.saw("positions", admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values().stream()
                .map(OffsetAndMetadata::offset).sorted().collect(Collectors.toList()));
        }
    }

    private void isolation() throws Exception {
        String topic = target.name("txn-isolation");
        TopicPartition partition = new TopicPartition(topic, 0);
        target.createTopic(topic, 1);
        try (KafkaProducer<String, String> one = target.producer("transactional.id", target.name("iso-1"));
            KafkaProducer<String, String> two = target.producer("transactional.id", target.name("iso-2"));
            KafkaProducer<String, String> plain = target.producer()) {
            one.initTransactions();
            two.initTransactions();
            one.beginTransaction();
            two.beginTransaction();
            see.saw("first offset", one.send(new ProducerRecord<>(topic, "one a")).get().offset());
            two.send(new ProducerRecord<>(topic, "two a")).get();
            plain.send(new ProducerRecord<>(topic, "plain")).get();
            see.saw("ends with both open", ends(partition));
            see.saw("committed records with both open", values(all(topic, 1, "read_committed", 1)));
            see.saw("uncommitted records with both open", values(all(topic, 1, "read_uncommitted", 3)));
            two.commitTransaction();
            see.saw("ends with the first open", ends(partition));
            see.saw("committed records with the first open", values(all(topic, 1, "read_committed", 1)));
            one.abortTransaction();
            see.saw("ends afterwards", ends(partition));
            see.saw("committed records", values(all(topic, 1, "read_committed", 2)));
            see.saw("offsets of committed records", all(topic, 1, "read_committed", 2).stream().map(ConsumerRecord::offset).toList());
            see.saw("uncommitted records", values(all(topic, 1, "read_uncommitted", 3)));
            one.beginTransaction();
            one.commitTransaction();
            one.beginTransaction();
            one.abortTransaction();
            see.saw("empty transactions leave nothing", ends(partition));
            one.beginTransaction();
            see.saw("next offset", one.send(new ProducerRecord<>(topic, "one b")).get().offset());
            one.commitTransaction();
            see.saw("committed in the end", values(all(topic, 1, "read_committed", 3)));
        }
    }

    private void fencing() throws Exception {
        String topic = target.name("txn-fencing");
        target.createTopic(topic, 1);
        String id = target.name("fenced");
        KafkaProducer<String, String> old = target.producer("transactional.id", id);
        KafkaProducer<String, String> young = target.producer("transactional.id", id);
        try {
            old.initTransactions();
            old.beginTransaction();
            old.send(new ProducerRecord<>(topic, "of the old")).get();
            young.initTransactions();
            see.attempt("the old one writes", () -> old.send(new ProducerRecord<>(topic, "late")).get().offset());
            see.attempt("the old one commits", () -> {
                old.commitTransaction();
                return "committed";
            });
            see.attempt("the old one aborts", () -> {
                old.abortTransaction();
                return "aborted";
            });
            young.beginTransaction();
            young.send(new ProducerRecord<>(topic, "of the young")).get();
            young.commitTransaction();
            see.saw("committed records", values(all(topic, 1, "read_committed", 1)));
        } finally {
            old.close(Duration.ZERO);
            young.close();
        }
        KafkaProducer<String, String> idle = target.producer("transactional.id", id + "-idle");
        try (KafkaProducer<String, String> next = target.producer("transactional.id", id + "-idle")) {
            idle.initTransactions();
            next.initTransactions();
            idle.beginTransaction();
            see.attempt("an old one that begins only now writes", () -> idle.send(new ProducerRecord<>(topic, "late")).get().offset());
            see.attempt("and commits", () -> {
                idle.commitTransaction();
                return "committed";
            });
        } finally {
            idle.close(Duration.ZERO);
        }
        try (Admin admin = target.admin();
            KafkaProducer<String, String> producer = target.producer("transactional.id", id + "-admin")) {
            producer.initTransactions();
            admin.fenceProducers(List.of(id + "-admin")).all().get();
            producer.beginTransaction();
            see.attempt("fenced by an administrator", () -> {
                producer.send(new ProducerRecord<>(topic, "late")).get();
                return "sent";
            });
            see.attempt("and its commit", () -> {
                producer.commitTransaction();
                return "committed";
            });
        }
    }

    private void timeout() throws Exception {
        String topic = target.name("txn-timeout");
        target.createTopic(topic, 1);
        try (KafkaProducer<String, String> producer =
            target.producer("transactional.id", target.name("slow"), "transaction.timeout.ms", 1_000)) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "slow")).get();
            TopicPartition partition = new TopicPartition(topic, 0);
            long end = System.nanoTime() + 30_000_000_000L;
            while (ends(partition).startsWith("0 ") && System.nanoTime() < end) Thread.sleep(200);
            see.saw("ends, aborted by the broker", ends(partition));
            see.attempt("its commit", () -> {
                producer.commitTransaction();
                return "committed";
            });
            see.saw("committed records", values(all(topic, 1, "read_committed", 1)));
        }
        see.attempt("a timeout over the maximum", () -> {
            try (KafkaProducer<String, String> producer =
                target.producer("transactional.id", target.name("patient"), "transaction.timeout.ms", 900_001)) {
                producer.initTransactions();
                return "taken";
            }
        });
    }

    private void openPositions() throws Exception {
        String topic = target.name("txn-positions");
        target.createTopic(topic, 1);
        String group = target.name("txn-positions");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaProducer<String, String> producer = target.producer("transactional.id", target.name("positions"));
            Admin admin = target.admin("default.api.timeout.ms", 3_000, "request.timeout.ms", 2_000)) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(5, "note")), new ConsumerGroupMetadata(group));
            ListConsumerGroupOffsetsOptions stable = new ListConsumerGroupOffsetsOptions().requireStable(true);
            see.attempt("while open", () -> admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values());
            Map<String, ListConsumerGroupOffsetsSpec> asked =
                Map.of(group, new ListConsumerGroupOffsetsSpec().topicPartitions(List.of(partition)));
            see.attempt("while open, stable ones of the partition", () ->
                admin.listConsumerGroupOffsets(asked, stable).partitionsToOffsetAndMetadata(group).get().values());
            producer.commitTransaction();
            see.attempt("committed", () -> Observer.settled(
                () -> admin.listConsumerGroupOffsets(asked, stable).partitionsToOffsetAndMetadata(group).get().values(),
                found -> !found.isEmpty()));
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(9)), new ConsumerGroupMetadata(group));
            producer.abortTransaction();
            see.attempt("aborted", () ->
                admin.listConsumerGroupOffsets(asked, stable).partitionsToOffsetAndMetadata(group).get().values());
            producer.beginTransaction();
            see.attempt("of a member that is not there", () -> {
                producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(9)),
                    new ConsumerGroupMetadata(group, 3, "nobody", java.util.Optional.empty()));
                return "taken";
            });
            see.attempt("its end", () -> {
                producer.abortTransaction();
                return "aborted";
            });
        }
    }

    private void administration() throws Exception {
        String topic = target.name("txn-admin");
        target.createTopic(topic, 2);
        TopicPartition partition = new TopicPartition(topic, 0);
        String id = target.name("admin-txn");
        try (KafkaProducer<String, String> producer = target.producer("transactional.id", id); Admin admin = target.admin()) {
            see.attempt("an id that nobody used", () -> admin.describeTransactions(List.of(id)).description(id).get());
            producer.initTransactions();
            see.saw("before the first", described(admin, id));
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
            producer.send(new ProducerRecord<>(topic, 1, "k", "v")).get();
            see.saw("while open", described(admin, id));
            see.saw("listed", admin.listTransactions().all().get().stream().filter(one -> one.transactionalId().equals(id))
                .map(TransactionListing::state).toList());
            see.saw("listed as complete", admin.listTransactions(new ListTransactionsOptions()
                .filterStates(Set.of(org.apache.kafka.clients.admin.TransactionState.COMPLETE_COMMIT))).all().get().stream()
                .filter(one -> one.transactionalId().equals(id)).count());
            ProducerState state = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().get(0);
            see.saw("producer", "epoch " + state.producerEpoch() + " sequence " + state.lastSequence() + " coordinator "
                + state.coordinatorEpoch().orElse(-1) + " start " + state.currentTransactionStartOffset().orElse(-1));
            admin.abortTransaction(new AbortTransactionSpec(partition, state.producerId(), (short) state.producerEpoch(),
                state.coordinatorEpoch().orElse(0))).all().get();
            see.saw("one partition aborted by hand", ends(partition));
            see.attempt("the commit of the rest", () -> {
                producer.commitTransaction();
                return "committed";
            });
            for (int i = 0; i < 50 && described(admin, id).startsWith("Prepare"); i++) Thread.sleep(100);
            see.saw("afterwards", described(admin, id));
            see.attempt("producers of a partition that is not there", () -> {
                TopicPartition absent = new TopicPartition(topic, 9);
                return admin.describeProducers(List.of(absent), new org.apache.kafka.clients.admin.DescribeProducersOptions().timeoutMs(2_000))
                    .partitionResult(absent).get();
            });
        }
    }

    private void idempotent() throws Exception {
        String topic = target.name("txn-idempotent");
        target.createTopic(topic, 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaProducer<String, String> producer = target.producer("max.in.flight.requests.per.connection", 5, "batch.size", 1);
            Admin admin = target.admin()) {
            for (int i = 0; i < 50; i++) producer.send(new ProducerRecord<>(topic, "v" + i));
            producer.flush();
            ProducerState state = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().get(0);
            see.saw("producer", "epoch " + state.producerEpoch() + " sequence " + state.lastSequence() + " coordinator "
                + state.coordinatorEpoch().orElse(-1) + " start " + state.currentTransactionStartOffset().orElse(-1));
            admin.deleteRecords(Map.of(partition, org.apache.kafka.clients.admin.RecordsToDelete.beforeOffset(50))).all().get();
            see.attempt("after all records were deleted", () -> producer.send(new ProducerRecord<>(topic, "next")).get().offset());
        }
    }

    /** A producer that vanishes in a transaction; its successor starts cleanly. */
    private void crash() throws Exception {
        String topic = target.name("txn-crash");
        target.createTopic(topic, 1);
        for (int round = 0; round < 3; round++) {
            KafkaProducer<String, String> producer = target.producer("transactional.id", target.name("crashing"));
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "committed " + round)).get();
            producer.commitTransaction();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "lost " + round)).get();
            producer.close(Duration.ZERO);
        }
        try (KafkaProducer<String, String> last = target.producer("transactional.id", target.name("crashing"))) {
            last.initTransactions();
        }
        see.saw("committed records", values(all(topic, 1, "read_committed", 3)));
        see.saw("ends", ends(new TopicPartition(topic, 0)));
    }

    private String described(Admin admin, String id) throws Exception {
        TransactionDescription one = admin.describeTransactions(List.of(id)).description(id).get();
        return one.state() + " epoch " + one.producerEpoch() + " timeout " + one.transactionTimeoutMs() + " started "
            + one.transactionStartTimeMs().isPresent() + " "
            + one.topicPartitions().stream().map(each -> target.plain(each.toString())).sorted().toList();
    }

    /** "last stable offset, end". */
    private String ends(TopicPartition partition) {
        try (KafkaConsumer<String, String> stable = target.consumer("isolation.level", "read_committed");
            KafkaConsumer<String, String> any = target.consumer()) {
            return stable.endOffsets(List.of(partition)).get(partition) + " " + any.endOffsets(List.of(partition)).get(partition);
        }
    }

    /** So many records from the start, and what comes at once behind them. */
    private List<ConsumerRecord<String, String>> all(String topic, int partitions, String isolation, int count) {
        try (KafkaConsumer<String, String> consumer = target.consumer("isolation.level", isolation)) {
            List<TopicPartition> assigned = new ArrayList<>();
            for (int i = 0; i < partitions; i++) assigned.add(new TopicPartition(topic, i));
            consumer.assign(assigned);
            List<ConsumerRecord<String, String>> got = new ArrayList<>(read(consumer, count, 2_000));
            got.addAll(read(consumer, 1, 300));
            return got;
        }
    }

    private static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }
}
