import { compareWithKafka } from './compare-with-kafka.ts';
import { startTools, type Tool } from './tools.ts';

/** One after the other on a fresh broker, so that lists are complete. */
const STEPS: ReadonlyArray<readonly [Tool, string]> = [
  ['kafka-cluster', 'cluster-id'],
  ['kafka-topics', '--create --topic orders --partitions 3'],
  ['kafka-topics', '--create --topic table --config cleanup.policy=compact --config segment.ms=60000'],
  ['kafka-topics', '--create --topic orders'],
  ['kafka-topics', '--create --topic orders --if-not-exists'],
  ['kafka-topics', '--create --topic many --replication-factor 2'],
  ['kafka-topics', '--create --topic none --partitions 0'],
  ['kafka-topics', '--create --topic bad/name'],
  ['kafka-topics', '--create --topic bad --config no.such=1'],
  ['kafka-topics', '--list'],
  ['kafka-topics', '--describe'],
  ['kafka-topics', '--describe --topic absent'],
  ['kafka-topics', '--describe --under-replicated-partitions'],
  ['kafka-topics', '--describe --under-min-isr-partitions'],
  ['kafka-topics', '--alter --topic orders --partitions 4'],
  ['kafka-topics', '--alter --topic orders --partitions 2'],
  ['kafka-topics', '--describe --topic orders'],
  ['kafka-topics', '--delete --topic absent'],
  ['kafka-configs', '--alter --entity-type topics --entity-name orders --add-config retention.ms=60000'],
  ['kafka-configs', '--describe --entity-type topics --entity-name orders'],
  ['kafka-configs', '--alter --entity-type topics --entity-name orders --delete-config retention.ms'],
  ['kafka-configs', '--alter --entity-type brokers --entity-default --add-config log.cleaner.threads=2'],
  ['kafka-configs', '--describe --entity-type brokers --entity-default'],
  ['kafka-configs', '--alter --entity-type brokers --entity-default --delete-config log.cleaner.threads'],
  ['kafka-configs', '--alter --entity-type users --entity-name u --add-config producer_byte_rate=1000'],
  ['kafka-configs', '--alter --entity-type clients --entity-default --add-config consumer_byte_rate=1000'],
  ['kafka-configs', '--describe --entity-type users'],
  ['kafka-configs', '--describe --entity-type clients'],
  ['kafka-configs', '--alter --entity-type users --entity-name u --delete-config producer_byte_rate'],
  ['kafka-configs', '--alter --entity-type clients --entity-default --delete-config consumer_byte_rate'],
  ['kafka-configs', '--alter --entity-type users --entity-name s --add-config SCRAM-SHA-256=[password=x]'],
  ['kafka-configs', '--describe --entity-type users --entity-name s'],
  ['kafka-acls', '--add --allow-principal User:u --operation Read --topic orders --group g'],
  ['kafka-acls', '--list'],
  ['kafka-acls', '--remove --allow-principal User:u --operation Read --topic orders --group g --force'],
  ['kafka-producer-perf-test', '--topic orders --num-records 100 --record-size 10 --throughput -1'],
  ['kafka-get-offsets', '--topic-partitions table:0 --time earliest'],
  ['kafka-get-offsets', '--topic table'],
  ['kafka-consumer-groups', '--list'],
  ['kafka-consumer-groups', '--describe --group absent'],
  ['kafka-consumer-groups', '--reset-offsets --group g --topic table --to-earliest --execute'],
  ['kafka-consumer-groups', '--describe --group g'],
  ['kafka-consumer-groups', '--list --state'],
  ['kafka-consumer-groups', '--describe --group g --state'],
  ['kafka-consumer-groups', '--describe --group g --members'],
  ['kafka-consumer-groups', '--delete-offsets --group g --topic table'],
  ['kafka-consumer-groups', '--delete --group g'],
  ['kafka-share-groups', '--list'],
  ['kafka-share-groups', '--describe --group absent'],
  ['kafka-groups', '--list'],
  ['kafka-transactions', 'list'],
  ['kafka-transactions', 'describe --transactional-id absent'],
  ['kafka-features', 'describe'],
  ['kafka-metadata-quorum', 'describe --status'],
  ['kafka-leader-election', '--election-type preferred --topic orders --partition 0'],
  ['kafka-client-metrics', '--list'],
  ['kafka-topics', '--delete --topic orders'],
];

compareWithKafka('Kafka tools', ['tools'], async (java, _client, broker) => {
  const tools = startTools(java, broker);
  const seen: Record<string, Record<string, string>> = {};
  try {
    for (const [tool, line] of STEPS) (seen[tool] ??= {})[line] = await tools.run(tool, ...line.split(' '));
  } finally {
    tools.close();
  }
  return seen;
});
