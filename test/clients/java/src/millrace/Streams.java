package millrace;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;

/**
 * `Streams bootstrap stateDirectory application`: an application of Kafka Streams, driven by lines on stdin with fields
 * divided by tabs. Every line but `send` is answered by `done` on stdout; what the application has committed is told as
 * `output key value`, each record once.
 */
public final class Streams {
    private static final Duration GRACE = Duration.ofMinutes(10);

    private final PrintStream out = System.out;
    private final List<Future<RecordMetadata>> sent = new ArrayList<>();
    private final Map<String, Object> broker;
    private final String stateDirectory;
    private final String application;
    private final Admin admin;
    private final KafkaProducer<String, String> producer;
    private KafkaStreams streams;
    private Thread reader;
    private volatile boolean over;

    public static void main(String[] args) throws Exception {
        Streams driven = new Streams(args[0], args[1], args[2]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split("\t");
                driven.obey(words);
                if (!words[0].equals("send")) driven.tell("done");
            }
        } catch (Throwable thrown) {
            thrown.printStackTrace();
        }
        // Threads of clients must not keep the virtual machine.
        Runtime.getRuntime().halt(1);
    }

    private Streams(String bootstrap, String stateDirectory, String application) {
        this.broker = Map.of("bootstrap.servers", bootstrap, "reconnect.backoff.max.ms", 200);
        this.stateDirectory = stateDirectory;
        this.application = application;
        this.admin = Admin.create(broker);
        this.producer = new KafkaProducer<>(broker, new StringSerializer(), new StringSerializer());
    }

    private void obey(String[] words) throws Exception {
        switch (words[0]) {
            case "create" -> create(words[1], Integer.parseInt(words[2]));
            case "start" -> start();
            case "add-thread" -> streams.addStreamThread();
            case "forget-state" -> forgetState();
            case "send" -> send(words);
            case "flush" -> flush();
            case "read" -> read(words[1]);
            case "stop" -> stop();
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    private void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        // Kafka's broker hears of it from its controller a moment later.
        for (int i = 0; i < 100 && !admin.listTopics().names().get().contains(topic); i++) Thread.sleep(50);
    }

    private void start() throws InterruptedException {
        Properties settings = new Properties();
        settings.putAll(broker);
        settings.put("application.id", application);
        settings.put("processing.guarantee", "exactly_once_v2");
        settings.put("state.dir", stateDirectory);
        settings.put("num.stream.threads", 2);
        settings.put("commit.interval.ms", 100);
        settings.put("repartition.purge.interval.ms", 1_000);
        // Without a cache every update is an output.
        settings.put("statestore.cache.max.bytes", 0);
        settings.put("default.key.serde", Serdes.StringSerde.class);
        settings.put("default.value.serde", Serdes.StringSerde.class);
        settings.put("consumer.session.timeout.ms", 3_000);
        settings.put("consumer.heartbeat.interval.ms", 500);
        settings.put("auto.offset.reset", "earliest");
        streams = new KafkaStreams(topologyOf(application), settings);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        CountDownLatch runs = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) runs.countDown();
        });
        streams.start();
        runs.await();
    }

    private static Topology topologyOf(String application) {
        StreamsBuilder builder = new StreamsBuilder();
        switch (application) {
            case "word-count" -> builder.<String, String>stream("lines")
                .flatMapValues(line -> List.of(line.split(" ")))
                .groupBy((key, word) -> word)
                .count()
                .toStream()
                .mapValues(count -> Long.toString(count))
                .to("word-counts");
            case "join" -> {
                KStream<String, String> payments = builder.stream("payments");
                JoinWindows window = JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(5), GRACE);
                builder.<String, String>stream("orders")
                    .join(payments, (order, payment) -> order + "+" + payment, window)
                    .to("paid-orders");
            }
            case "sessions" -> builder.<String, String>stream("clicks")
                .groupByKey(Grouped.with(Serdes.String(), Serdes.String()))
                .windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofSeconds(10), GRACE))
                .count(Materialized.with(Serdes.String(), Serdes.Long()))
                .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()))
                .toStream()
                .map((session, count) -> KeyValue.pair(session.key(),
                    session.window().start() + "-" + session.window().end() + ":" + count))
                .to("visits");
            default -> throw new IllegalArgumentException(application);
        }
        return builder.build();
    }

    /** Ends it without its local state: the next start restores it from the changelog. */
    private void forgetState() {
        // Or its members would be waited for.
        streams.close(CloseOptions.groupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP));
        streams.cleanUp();
    }

    /** `send topic partition timestamp key value`; the partition of the key if it is -1. */
    private void send(String[] words) {
        Integer partition = words[2].equals("-1") ? null : Integer.valueOf(words[2]);
        long timestamp = Long.parseLong(words[3]);
        sent.add(producer.send(new ProducerRecord<>(words[1], partition, timestamp, words[4], words[5])));
    }

    private void flush() throws Exception {
        producer.flush();
        for (Future<RecordMetadata> one : sent) one.get();
        sent.clear();
    }

    private void read(String topic) throws Exception {
        Map<String, Object> settings = new HashMap<>(broker);
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "none");
        var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
        List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
            .map(one -> new TopicPartition(topic, one.partition())).toList();
        consumer.assign(partitions);
        for (TopicPartition one : partitions) consumer.seek(one, 0);
        reader = new Thread(() -> {
            while (!over) tellNext(consumer);
            // Nobody writes any more: to where committed records end.
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) tellNext(consumer);
            consumer.close();
        });
        reader.start();
    }

    private void tellNext(KafkaConsumer<String, String> consumer) {
        for (ConsumerRecord<String, String> record : consumer.poll(Target.SOON)) {
            tell("output\t" + record.key() + "\t" + record.value());
        }
    }

    private void stop() throws InterruptedException {
        streams.close();
        over = true;
        reader.join();
    }

    private synchronized void tell(String line) {
        out.println(line);
        out.flush();
    }
}
