package millrace;

import static millrace.Target.read;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;

/** What the broker does by itself: compaction, retention, quotas. */
public final class Upkeep implements Family {
    private Target target;
    private Observer see;

    @Override
    public void run(Target target, Observer see) {
        this.target = target;
        this.see = see;
        see.scenario("compaction", () -> compaction());
        see.scenario("a throttled producer", () -> producerQuota());
        see.scenario("a throttled consumer", () -> consumerQuota());
    }

    private void compaction() throws Exception {
        String topic = target.name("compaction");
        target.createTopic(topic, 1, "cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01", "segment.ms", "500", "delete.retention.ms", "100");
        try (KafkaProducer<String, String> producer = target.producer()) {
            for (int round = 0; round < 5; round++) {
                for (int key = 0; key < 10; key++) producer.send(new ProducerRecord<>(topic, "k" + key, key == 3 && round == 4 ? null : "r" + round));
                producer.flush();
                Thread.sleep(600);
            }
            // Compaction leaves the newest segment alone: what is written here closes the one before.
            producer.send(new ProducerRecord<>(topic, "last", "1")).get();
            Thread.sleep(600);
            producer.send(new ProducerRecord<>(topic, "last", "2")).get();
        }
        long end = System.nanoTime() + 40_000_000_000L;
        Map<String, String> values = new TreeMap<>();
        int read = 0;
        while (System.nanoTime() < end) {
            values.clear();
            read = 0;
            try (KafkaConsumer<String, String> consumer = target.consumer()) {
                consumer.assign(List.of(new TopicPartition(topic, 0)));
                for (ConsumerRecord<String, String> record : read(consumer, 100, 1_500)) {
                    read++;
                    if (record.value() == null) values.remove(record.key());
                    else values.put(record.key(), record.value());
                }
            }
            if (read > 0 && read <= 13) break;
            Thread.sleep(1_000);
        }
        see.saw("at most one old record a key is left", read > 0 && read <= 13);
        see.saw("values", values);
    }

    private void producerQuota() throws Exception {
        String topic = target.name("quota-produce");
        target.createTopic(topic, 1);
        String client = target.name("slow-producer");
        quota(client, "producer_byte_rate", 20_000.0);
        try (KafkaProducer<byte[], byte[]> producer = target.bytesProducer("client.id", client, "batch.size", 20_000)) {
            long end = System.nanoTime() + 15_000_000_000L;
            double throttled = 0;
            while (throttled == 0 && System.nanoTime() < end) {
                producer.send(new ProducerRecord<>(topic, new byte[15_000])).get();
                throttled = metric(producer.metrics().values(), "produce-throttle-time-max");
            }
            see.saw("was told to wait", throttled > 0);
        }
        quota(client, "producer_byte_rate", null);
    }

    private void consumerQuota() throws Exception {
        String topic = target.name("quota-fetch");
        target.createTopic(topic, 1);
        try (KafkaProducer<byte[], byte[]> producer = target.bytesProducer()) {
            for (int i = 0; i < 40; i++) producer.send(new ProducerRecord<>(topic, new byte[15_000]));
        }
        String client = target.name("slow-consumer");
        quota(client, "consumer_byte_rate", 20_000.0);
        try (KafkaConsumer<byte[], byte[]> consumer = target.bytesConsumer("client.id", client, "max.partition.fetch.bytes", 20_000)) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            long end = System.nanoTime() + 15_000_000_000L;
            double throttled = 0;
            while (!(throttled > 0) && System.nanoTime() < end) {
                consumer.poll(Target.SOON);
                throttled = metric(consumer.metrics().values(), "fetch-throttle-time-max");
            }
            see.saw("was told to wait", throttled > 0);
        }
        quota(client, "consumer_byte_rate", null);
    }

    private void quota(String client, String key, Double value) throws Exception {
        try (Admin admin = target.admin()) {
            ClientQuotaEntity entity = new ClientQuotaEntity(Map.of("client-id", client));
            admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op(key, value))))).all().get();
        }
        Thread.sleep(300);
    }

    private static double metric(Iterable<? extends Metric> metrics, String name) {
        double most = 0;
        for (Metric metric : metrics) {
            if (metric.metricName().name().equals(name) && metric.metricValue() instanceof Double value && !value.isNaN()) {
                most = Math.max(most, value);
            }
        }
        return most;
    }
}
