package millrace;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The broker under test, and clients of it with settings given as `name, value, name, value`. */
public final class Target {
    public static final Duration SOON = Duration.ofMillis(200);
    public final String bootstrap;
    /** The listener that wants SASL; null if the broker has none. */
    public final String saslBootstrap;

    /** Begins every name, so that clients of two versions can use one broker. */
    private final String prefix;

    public Target(String bootstrap, String saslBootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.saslBootstrap = saslBootstrap;
        this.prefix = prefix;
    }

    /** A name for a topic, group, transaction or user. */
    public String name(String name) {
        return prefix + "." + name;
    }

    /** Takes the prefix away again. */
    public String plain(String text) {
        return text.replace(prefix + ".", "");
    }

    public KafkaProducer<String, String> producer(Object... settings) {
        return new KafkaProducer<>(with(settings), new StringSerializer(), new StringSerializer());
    }

    public KafkaProducer<byte[], byte[]> bytesProducer(Object... settings) {
        return new KafkaProducer<>(with(settings), new ByteArraySerializer(), new ByteArraySerializer());
    }

    public KafkaConsumer<String, String> consumer(Object... settings) {
        Map<String, Object> all = with(settings);
        all.putIfAbsent("auto.offset.reset", "earliest");
        return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
    }

    public KafkaConsumer<byte[], byte[]> bytesConsumer(Object... settings) {
        Map<String, Object> all = with(settings);
        all.putIfAbsent("auto.offset.reset", "earliest");
        return new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    public Admin admin(Object... settings) {
        return Admin.create(with(settings));
    }

    public void createTopic(String name, int partitions, String... configs) throws Exception {
        Map<String, String> map = new HashMap<>();
        for (int i = 0; i < configs.length; i += 2) map.put(configs[i], configs[i + 1]);
        try (Admin admin = admin()) {
            admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(map))).all().get();
            // Kafka's broker hears of it from its controller a moment later.
            for (int i = 0; i < 100 && !admin.listTopics().names().get().contains(name); i++) Thread.sleep(50);
        }
    }

    public Map<String, Object> with(Object... settings) {
        Map<String, Object> all = new HashMap<>();
        all.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < settings.length; i += 2) all.put((String) settings[i], settings[i + 1]);
        return all;
    }

    /** Polls until there are so many records or the time is over. */
    public static <K, V> List<ConsumerRecord<K, V>> read(KafkaConsumer<K, V> consumer, int count, long timeoutMs) {
        List<ConsumerRecord<K, V>> got = new ArrayList<>();
        long end = System.nanoTime() + timeoutMs * 1_000_000;
        while (got.size() < count && System.nanoTime() < end) {
            for (ConsumerRecord<K, V> record : consumer.poll(SOON)) got.add(record);
        }
        return got;
    }
}
