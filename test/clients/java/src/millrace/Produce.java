package millrace;

import static millrace.Target.read;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeader;

/** Records out and in: codecs, sizes, timestamps, positions. */
public final class Produce implements Family {
    private static final int COUNT = 500;

    @Override
    public void run(Target target, Observer see) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            see.scenario("codec " + codec, () -> codec(target, see, codec));
        }
        see.scenario("acknowledgements", () -> acknowledgements(target, see));
        see.scenario("sizes", () -> sizes(target, see));
        see.scenario("what a record carries", () -> contents(target, see));
        see.scenario("log append time", () -> logAppendTime(target, see));
        see.scenario("positions", () -> positions(target, see));
        see.scenario("bad destinations", () -> badDestinations(target, see));
        see.scenario("compacted topic", () -> compacted(target, see));
        see.scenario("codec of the topic", () -> topicCodec(target, see));
    }

    private void codec(Target target, Observer see, String codec) throws Exception {
        String topic = target.name("produce-codec-" + codec);
        target.createTopic(topic, 1);
        try (KafkaProducer<String, String> producer =
            target.producer("compression.type", codec, "linger.ms", 20, "batch.size", 8192)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < COUNT; i++) {
                sent.add(producer.send(new ProducerRecord<>(topic, 0, 1_000L + i, "k" + i, "value " + i + "x".repeat(50))));
            }
            see.saw("last offset", sent.get(COUNT - 1).get().offset());
        }
        try (KafkaConsumer<String, String> consumer = target.consumer()) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            consumer.seekToBeginning(consumer.assignment());
            List<ConsumerRecord<String, String>> got = read(consumer, COUNT, 20_000);
            see.saw("read", got.size());
            boolean same = true;
            for (int i = 0; i < got.size(); i++) {
                ConsumerRecord<String, String> record = got.get(i);
                same &= record.offset() == i && record.key().equals("k" + i) && record.timestamp() == 1_000 + i
                    && record.value().equals("value " + i + "x".repeat(50));
            }
            see.saw("same, in order", same);
            consumer.seek(new TopicPartition(topic, 0), 123);
            see.saw("from the middle of a batch", read(consumer, 1, 20_000).get(0).offset());
        }
    }

    private void acknowledgements(Target target, Observer see) throws Exception {
        target.createTopic(target.name("produce-acks"), 1);
        for (String acks : List.of("0", "1", "all")) {
            try (KafkaProducer<String, String> producer =
                target.producer("acks", acks, "enable.idempotence", false)) {
                RecordMetadata sent = producer.send(new ProducerRecord<>(target.name("produce-acks"), acks)).get();
                see.saw("acks " + acks, sent.hasOffset() ? sent.offset() : "no offset");
            }
        }
        try (KafkaConsumer<String, String> consumer = target.consumer()) {
            TopicPartition partition = new TopicPartition(target.name("produce-acks"), 0);
            consumer.assign(List.of(partition));
            see.saw("arrived", read(consumer, 3, 10_000).size());
            see.saw("end offset", consumer.endOffsets(List.of(partition)).get(partition));
        }
    }

    private void sizes(Target target, Observer see) throws Exception {
        String topic = target.name("produce-sizes");
        target.createTopic(topic, 1, "max.message.bytes", "2000000");
        target.createTopic(target.name("produce-sizes-default"), 1);
        target.createTopic(target.name("produce-segment"), 1, "segment.bytes", "1048576", "max.message.bytes", "2000000");
        try (KafkaProducer<byte[], byte[]> producer =
            target.bytesProducer("max.request.size", 10_000_000, "buffer.memory", 64_000_000L)) {
            for (int size : new int[] {1_500_000, 1_999_900, 2_000_000}) {
                see.attempt(size + " bytes where 2000000 may be", () ->
                    producer.send(new ProducerRecord<>(topic, new byte[size])).get().offset());
            }
            // An uncompressed batch of one record without a key has 73 bytes besides a value of this size.
            for (int size : new int[] {1_048_588 - 74, 1_048_588 - 73, 1_048_588 - 72, 1_048_588 - 71, 1_048_588 - 70}) {
                see.attempt(size + " bytes where 1048588 may be", () ->
                    producer.send(new ProducerRecord<>(target.name("produce-sizes-default"), new byte[size])).get().offset());
            }
            see.attempt("larger than a segment", () ->
                producer.send(new ProducerRecord<>(target.name("produce-segment"), new byte[1_200_000])).get().offset());
        }
        try (KafkaProducer<byte[], byte[]> producer = target.bytesProducer("max.request.size", 10_000_000, "acks", "0",
            "enable.idempotence", false)) {
            see.attempt("too large with acks 0", () -> {
                producer.send(new ProducerRecord<>(topic, new byte[3_000_000])).get();
                return "sent";
            });
            see.attempt("the next one with acks 0", () -> {
                producer.send(new ProducerRecord<>(topic, new byte[10])).get();
                return "sent";
            });
        }
        try (KafkaConsumer<byte[], byte[]> consumer =
            target.bytesConsumer("max.partition.fetch.bytes", 1_000, "fetch.max.bytes", 1_000)) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            List<Integer> read = new ArrayList<>();
            for (ConsumerRecord<byte[], byte[]> record : read(consumer, 2, 15_000)) read.add(record.value().length);
            see.saw("read with small fetches", read);
        }
    }

    private void contents(Target target, Observer see) throws Exception {
        String topic = target.name("produce-contents");
        target.createTopic(topic, 1);
        try (KafkaProducer<String, String> producer = target.producer("linger.ms", 50)) {
            ProducerRecord<String, String> record = new ProducerRecord<>(topic, 0, Long.valueOf(42), (String) null, (String) null);
            record.headers().add(new RecordHeader("h", new byte[] {1, 2}));
            record.headers().add(new RecordHeader("h", null));
            record.headers().add(new RecordHeader("", new byte[0]));
            producer.send(record);
            producer.send(new ProducerRecord<>(topic, 0, 41L, "", ""));
            producer.send(new ProducerRecord<>(topic, 0, 0L, "k", "grüße 🚀"));
        }
        try (KafkaConsumer<String, String> consumer = target.consumer()) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            for (ConsumerRecord<String, String> record : read(consumer, 3, 10_000)) {
                see.saw("record " + record.offset(), record.timestampType() + " " + record.timestamp() + " " + record.key() + " "
                    + record.value() + " " + record.headers() + " epoch " + record.leaderEpoch().orElse(-1));
            }
        }
    }

    private void logAppendTime(Target target, Observer see) throws Exception {
        String topic = target.name("produce-append-time");
        target.createTopic(topic, 1, "message.timestamp.type", "LogAppendTime");
        long before = System.currentTimeMillis();
        try (KafkaProducer<String, String> producer = target.producer()) {
            RecordMetadata sent = producer.send(new ProducerRecord<>(topic, 0, 5L, "k", "v")).get();
            see.saw("timestamp answered is that of the broker", sent.timestamp() >= before);
        }
        try (KafkaConsumer<String, String> consumer = target.consumer()) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            ConsumerRecord<String, String> record = read(consumer, 1, 10_000).get(0);
            see.saw("type", record.timestampType());
            see.saw("timestamp read is that of the broker", record.timestamp() >= before);
        }
    }

    private void positions(Target target, Observer see) throws Exception {
        String topic = target.name("produce-positions");
        target.createTopic(topic, 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaProducer<String, String> producer = target.producer("linger.ms", 200)) {
            long[] times = {100, 200, 150, 400, 300, 500};
            for (long time : times) producer.send(new ProducerRecord<>(topic, 0, time, "k", "v"));
        }
        try (KafkaConsumer<String, String> consumer = target.consumer("auto.offset.reset", "none")) {
            consumer.assign(List.of(partition));
            see.saw("beginning", consumer.beginningOffsets(List.of(partition)).get(partition));
            see.saw("end", consumer.endOffsets(List.of(partition)).get(partition));
            for (long time : new long[] {0, 100, 101, 200, 201, 350, 401, 500, 501}) {
                Map<TopicPartition, Long> want = new HashMap<>(Map.of(partition, time));
                OffsetAndTimestamp found = consumer.offsetsForTimes(want).get(partition);
                see.saw("first record from " + time, found == null ? "none" : found.offset() + " at " + found.timestamp());
            }
            consumer.seek(partition, 3);
            see.saw("seek to 3", read(consumer, 1, 10_000).get(0).offset());
            consumer.seek(partition, 100);
            see.attempt("seek behind the end", () -> consumer.poll(java.time.Duration.ofSeconds(5)).count());
            consumer.seek(partition, 6);
            see.attempt("seek to the end", () -> consumer.poll(java.time.Duration.ofMillis(500)).count());
            see.attempt("position at the end", () -> consumer.position(partition));
        }
        try (KafkaConsumer<String, String> consumer = target.consumer("auto.offset.reset", "none")) {
            consumer.assign(List.of(partition));
            see.attempt("no position and no reset", () -> consumer.poll(java.time.Duration.ofSeconds(5)).count());
            see.attempt("end of a topic that is not there", () -> {
                TopicPartition absent = new TopicPartition(target.name("produce-absent"), 0);
                return consumer.endOffsets(List.of(absent), java.time.Duration.ofSeconds(2)).get(absent);
            });
        }
    }

    private void badDestinations(Target target, Observer see) throws Exception {
        target.createTopic(target.name("produce-good"), 1);
        try (KafkaProducer<String, String> producer = target.producer("max.block.ms", 3_000)) {
            see.attempt("invalid name", () -> producer.send(new ProducerRecord<>("not/valid", "v")).get().offset());
            see.attempt("valid name afterwards", () -> producer.send(new ProducerRecord<>(target.name("produce-good"), "v")).get().offset());
            see.attempt("partition that is not there", () ->
                producer.send(new ProducerRecord<>(target.name("produce-good"), 7, "k", "v")).get().offset());
            see.attempt("a topic made by producing", () ->
                producer.send(new ProducerRecord<>(target.name("produce-made"), "v")).get().offset());
            see.attempt("its partitions", () -> producer.partitionsFor(target.name("produce-made")).size());
            see.attempt("an internal topic", () ->
                producer.send(new ProducerRecord<>("__consumer_offsets", "k", "v")).get().hasOffset());
        }
    }

    private void compacted(Target target, Observer see) throws Exception {
        String topic = target.name("produce-compacted");
        target.createTopic(topic, 1, "cleanup.policy", "compact");
        try (KafkaProducer<String, String> producer = target.producer()) {
            see.attempt("without a key", () -> producer.send(new ProducerRecord<>(topic, "v")).get().offset());
            see.attempt("with a key", () -> producer.send(new ProducerRecord<>(topic, "k", "v")).get().offset());
            see.attempt("deletion of a key", () -> producer.send(new ProducerRecord<>(topic, "k", null)).get().offset());
            long tomorrow = System.currentTimeMillis() + 26 * 3_600_000L;
            see.attempt("from tomorrow", () ->
                producer.send(new ProducerRecord<>(topic, 0, tomorrow, "k", "v")).get().offset());
        }
    }

    private void topicCodec(Target target, Observer see) throws Exception {
        for (String codec : List.of("gzip", "uncompressed", "zstd")) {
            String topic = target.name("produce-topic-codec-" + codec);
            target.createTopic(topic, 1, "compression.type", codec);
            byte[] value = "compress me ".repeat(200).getBytes(StandardCharsets.UTF_8);
            try (KafkaProducer<byte[], byte[]> producer = target.bytesProducer("compression.type", "lz4")) {
                see.attempt(codec, () -> producer.send(new ProducerRecord<>(topic, value)).get().offset());
            }
            try (KafkaConsumer<byte[], byte[]> consumer = target.bytesConsumer()) {
                consumer.assign(List.of(new TopicPartition(topic, 0)));
                see.saw("read of " + codec, read(consumer, 1, 10_000).get(0).value().length);
            }
        }
    }
}
