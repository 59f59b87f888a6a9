package millrace;

import static millrace.Target.read;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Who is let in, and what the rules refuse. Users `admin` (may do all), `alice` and `bob` are known to PLAIN. */
public final class Security implements Family {
    private Target target;
    private Observer see;
    private String aclTopic;

    @Override
    public void run(Target target, Observer see) {
        this.target = target;
        this.see = see;
        this.aclTopic = target.name("secure-topic");
        see.scenario("SASL", () -> mechanisms());
        see.scenario("access", () -> access());
    }

    private void mechanisms() throws Exception {
        String user = target.name("carol");
        try (Admin admin = target.admin()) {
            for (ScramMechanism mechanism : List.of(ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)) {
                admin.alterUserScramCredentials(List.of(
                    new UserScramCredentialUpsertion(user, new ScramCredentialInfo(mechanism, 4096), "carol-secret"))).all().get();
            }
        }
        Thread.sleep(300);
        see.attempt("PLAIN", () -> nodes(plain("admin", "admin-secret")));
        see.attempt("PLAIN with a wrong password", () -> nodes(plain("admin", "x")));
        see.attempt("PLAIN of nobody", () -> nodes(plain("nobody", "x")));
        for (String mechanism : List.of("SCRAM-SHA-256", "SCRAM-SHA-512")) {
            see.attempt(mechanism, () -> nodes(scram(mechanism, user, "carol-secret")));
            see.attempt(mechanism + " with a wrong password", () -> nodes(scram(mechanism, user, "x")));
            see.attempt(mechanism + " of nobody", () -> nodes(scram(mechanism, "nobody", "x")));
        }
        see.attempt("OAUTHBEARER", () -> nodes(bearer("unsecuredLoginStringClaim_sub=\"admin\"")));
        see.attempt("a mechanism that is off", () -> nodes(sasl("GSSAPI", "com.sun.security.auth.module.Krb5LoginModule required;")));
        see.attempt("without SASL", () -> {
            try (Admin admin = target.admin("bootstrap.servers", target.saslBootstrap, "default.api.timeout.ms", 3_000, "request.timeout.ms", 2_000)) {
                return admin.describeCluster().nodes().get().size();
            }
        });
        see.attempt("SASL where none is wanted", () -> {
            Map<String, Object> settings = plain("admin", "admin-secret");
            settings.put("bootstrap.servers", target.bootstrap);
            return nodes(settings);
        });
    }

    private void access() throws Exception {
        target.createTopic(aclTopic, 1);
        String group = target.name("secure-group");
        see.attempt("alice produces", () -> produce("alice", aclTopic));
        see.attempt("alice sees topics", () -> topicsOf("alice"));
        see.attempt("alice describes the topic", () -> {
            try (Admin admin = Admin.create(plain("alice", "alice-secret"))) {
                return admin.describeTopics(List.of(aclTopic)).allTopicNames().get().size();
            }
        });
        see.attempt("alice creates a topic", () -> {
            try (Admin admin = Admin.create(plain("alice", "alice-secret"))) {
                return admin.createTopics(List.of(new NewTopic(target.name("secure-not"), 1, (short) 1))).all().get();
            }
        });
        see.attempt("alice makes a topic by producing", () -> produce("alice", target.name("secure-auto")));
        see.attempt("alice reads configs", () -> {
            try (Admin admin = Admin.create(plain("alice", "alice-secret"))) {
                return admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.TOPIC, aclTopic))).all().get().size();
            }
        });
        see.attempt("alice reads rules", () -> {
            try (Admin admin = Admin.create(plain("alice", "alice-secret"))) {
                return admin.describeAcls(org.apache.kafka.common.acl.AclBindingFilter.ANY).values().get().size();
            }
        });
        allow("alice", ResourceType.TOPIC, aclTopic, PatternType.LITERAL, AclOperation.WRITE, AclPermissionType.ALLOW);
        see.attempt("alice may write and produces", () -> produce("alice", aclTopic));
        see.attempt("alice sees topics then", () -> topicsOf("alice"));
        see.attempt("alice reads", () -> consume("alice", aclTopic, group));
        allow("alice", ResourceType.TOPIC, target.name("secure-"), PatternType.PREFIXED, AclOperation.READ, AclPermissionType.ALLOW);
        see.attempt("alice may read the topic but not use the group", () -> consume("alice", aclTopic, group));
        allow("alice", ResourceType.GROUP, group, PatternType.LITERAL, AclOperation.READ, AclPermissionType.ALLOW);
        see.attempt("alice may use the group", () -> consume("alice", aclTopic, group));
        allow("alice", ResourceType.TOPIC, aclTopic, PatternType.LITERAL, AclOperation.READ, AclPermissionType.DENY);
        see.attempt("alice is denied", () -> consume("alice", aclTopic, group));
        see.attempt("alice starts a transaction", () -> transaction("alice"));
        allow("alice", ResourceType.TRANSACTIONAL_ID, target.name("secure-txn"), PatternType.LITERAL, AclOperation.WRITE, AclPermissionType.ALLOW);
        see.attempt("alice may start a transaction", () -> transaction("alice"));
        see.attempt("bob, two topics of which he may write one", () -> {
            allow("bob", ResourceType.TOPIC, aclTopic, PatternType.LITERAL, AclOperation.WRITE, AclPermissionType.ALLOW);
            target.createTopic(target.name("secure-other"), 1);
            return produce("bob", target.name("secure-other")) + ", " + produce("bob", aclTopic);
        });
        see.attempt("alice deletes the topic", () -> {
            try (Admin admin = Admin.create(plain("alice", "alice-secret"))) {
                return admin.deleteTopics(List.of(aclTopic)).all().get();
            }
        });
        see.attempt("alice deletes the group", () -> {
            try (Admin admin = Admin.create(plain("alice", "alice-secret"))) {
                return admin.deleteConsumerGroups(List.of(group)).all().get();
            }
        });
        see.attempt("alice sets a quota", () -> {
            try (Admin admin = Admin.create(plain("alice", "alice-secret"))) {
                return admin.alterClientQuotas(List.of()).all().get();
            }
        });
        see.attempt("alice's operations on the topic", () -> {
            try (Admin admin = Admin.create(plain("alice", "alice-secret"))) {
                return admin.describeTopics(List.of(aclTopic), new org.apache.kafka.clients.admin.DescribeTopicsOptions().includeAuthorizedOperations(true))
                    .allTopicNames().get().get(aclTopic).authorizedOperations().stream().map(Object::toString).sorted().toList();
            }
        });
        try (Admin admin = target.admin()) {
            admin.deleteAcls(List.of(org.apache.kafka.common.acl.AclBindingFilter.ANY)).all().get();
        }
    }

    private void allow(String user, ResourceType type, String name, PatternType pattern, AclOperation operation, AclPermissionType permission) throws Exception {
        try (Admin admin = target.admin()) {
            admin.createAcls(List.of(new AclBinding(new ResourcePattern(type, name, pattern),
                new AccessControlEntry("User:" + user, "*", operation, permission)))).all().get();
        }
        Thread.sleep(300);
    }

    private String produce(String user, String topic) {
        Map<String, Object> settings = plain(user, user + "-secret");
        settings.put("max.block.ms", 5_000);
        settings.put("enable.idempotence", false);
        settings.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        settings.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            return "at " + producer.send(new ProducerRecord<>(topic, "v")).get().offset();
        } catch (Exception thrown) {
            return Observer.nameOf(thrown);
        }
    }

    private String consume(String user, String topic, String group) {
        Map<String, Object> settings = plain(user, user + "-secret");
        settings.put("group.id", group);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", false);
        settings.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        settings.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(List.of(topic));
            return read(consumer, 1, 5_000).size() + " records";
        }
    }

    private String transaction(String user) {
        Map<String, Object> settings = plain(user, user + "-secret");
        settings.put("transactional.id", target.name("secure-txn"));
        settings.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        settings.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            producer.initTransactions();
            return "started";
        }
    }

    private Object topicsOf(String user) throws Exception {
        try (Admin admin = Admin.create(plain(user, user + "-secret"))) {
            return admin.listTopics().names().get().stream().map(target::plain).sorted().toList();
        }
    }

    private Object nodes(Map<String, Object> settings) throws Exception {
        try (Admin admin = Admin.create(settings)) {
            return admin.describeCluster().nodes().get().size() + " node";
        }
    }

    private Map<String, Object> plain(String user, String password) {
        return sasl("PLAIN", "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"" + user + "\" password=\"" + password + "\";");
    }

    private Map<String, Object> scram(String mechanism, String user, String password) {
        return sasl(mechanism, "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"" + user + "\" password=\"" + password + "\";");
    }

    private Map<String, Object> bearer(String options) {
        return sasl("OAUTHBEARER", "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required " + options + ";");
    }

    private Map<String, Object> sasl(String mechanism, String jaas) {
        return target.with("bootstrap.servers", String.valueOf(target.saslBootstrap), "security.protocol", "SASL_PLAINTEXT",
            "sasl.mechanism", mechanism, "sasl.jaas.config", jaas, "default.api.timeout.ms", 6_000, "request.timeout.ms", 5_000);
    }
}
