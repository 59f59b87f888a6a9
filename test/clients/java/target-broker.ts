/** A broker that scenarios run against: a real Apache Kafka or ours, both a process of their own. */
export interface TargetBroker {
  readonly name: 'millrace' | 'kafka';
  /** Where nobody has to say who they are; whoever comes here may do everything. */
  readonly bootstrap: string;
  /** Where SASL is asked for; undefined while the broker has none. */
  readonly saslBootstrap?: string;
  stop(): Promise<void>;
}

/** What both brokers are set to, by Kafka's names: ours have the same defaults otherwise. */
export const BROKER_SETTINGS = {
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 1_000,
  'group.consumer.min.heartbeat.interval.ms': 100,
  'group.consumer.heartbeat.interval.ms': 200,
  'group.consumer.min.session.timeout.ms': 1_000,
  'group.share.min.heartbeat.interval.ms': 100,
  'group.share.heartbeat.interval.ms': 200,
  'group.share.min.session.timeout.ms': 1_000,
  'group.share.min.record.lock.duration.ms': 1_000,
  'offsets.topic.replication.factor': 1,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
  'super.users': 'User:ANONYMOUS;User:admin',
  'log.cleaner.backoff.ms': 200,
} as const;

const PLAIN_MODULE = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
const SCRAM_MODULE = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
const BEARER_MODULE = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;';

/** The listener SECURE of Kafka. */
export const SASL_SETTINGS = {
  'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
  'listener.name.secure.plain.sasl.jaas.config': `${PLAIN_MODULE} user_admin="admin-secret" user_alice="alice-secret" user_bob="bob-secret";`,
  'listener.name.secure.scram-sha-256.sasl.jaas.config': SCRAM_MODULE,
  'listener.name.secure.scram-sha-512.sasl.jaas.config': SCRAM_MODULE,
  'listener.name.secure.oauthbearer.sasl.jaas.config': BEARER_MODULE,
} as const;
