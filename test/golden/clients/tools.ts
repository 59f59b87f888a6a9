import { startTools, type Tool } from '../../clients/java/tools.ts';
import type { Java } from '../../support/java.ts';

/** One step for every API that the tools can reach. */
const STEPS: ReadonlyArray<readonly [Tool, string]> = [
  ['kafka-cluster', 'cluster-id'],
  ['kafka-topics', '--create --topic t --partitions 2 --config retention.ms=3600000'],
  ['kafka-topics', '--describe --topic t'],
  ['kafka-topics', '--alter --topic t --partitions 3'],
  ['kafka-configs', '--alter --entity-type topics --entity-name t --add-config retention.ms=7200000'],
  ['kafka-configs', '--describe --entity-type topics --entity-name t'],
  ['kafka-configs', '--alter --entity-type users --entity-name u --add-config producer_byte_rate=100000'],
  ['kafka-configs', '--describe --entity-type users'],
  ['kafka-configs', '--alter --entity-type users --entity-name s --add-config SCRAM-SHA-256=[password=x]'],
  ['kafka-configs', '--describe --entity-type users --entity-name s'],
  ['kafka-acls', '--add --allow-principal User:u --operation Read --topic t --group g'],
  ['kafka-acls', '--list'],
  ['kafka-acls', '--remove --allow-principal User:u --operation Read --topic t --group g --force'],
  ['kafka-producer-perf-test', '--topic t --num-records 10 --record-size 10 --throughput -1'],
  ['kafka-get-offsets', '--topic t'],
  ['kafka-consumer-groups', '--reset-offsets --group g --topic t --to-earliest --execute'],
  ['kafka-consumer-groups', '--list --state'],
  ['kafka-consumer-groups', '--describe --group g'],
  ['kafka-consumer-groups', '--describe --group g --members'],
  ['kafka-consumer-groups', '--delete-offsets --group g --topic t'],
  ['kafka-consumer-groups', '--delete --group g'],
  ['kafka-share-groups', '--list'],
  ['kafka-share-groups', '--describe --group absent'],
  ['kafka-share-groups', '--reset-offsets --group sg --topic t --to-earliest --execute'],
  ['kafka-share-groups', '--describe --group sg'],
  ['kafka-share-groups', '--delete-offsets --group sg --topic t'],
  ['kafka-groups', '--list'],
  ['kafka-transactions', 'list'],
  ['kafka-transactions', 'describe --transactional-id absent'],
  ['kafka-transactions', 'describe-producers --topic t --partition 0'],
  ['kafka-log-dirs', '--describe --topic-list t'],
  ['kafka-features', 'describe'],
  ['kafka-features', 'downgrade --feature share.version=9'],
  ['kafka-broker-api-versions', ''],
  ['kafka-metadata-quorum', 'describe --status'],
  ['kafka-leader-election', '--election-type preferred --topic t --partition 0'],
  ['kafka-reassign-partitions', '--list'],
  ['kafka-client-metrics', '--list'],
  ['kafka-client-metrics', '--alter --name m --metrics org.apache.kafka. --interval 10000'],
  ['kafka-client-metrics', '--describe --name m'],
  ['kafka-delegation-tokens', '--describe'],
  ['kafka-topics', '--delete --topic t'],
];

/** Kafka's command line tools. */
export async function runTools(java: Java, bootstrap: string): Promise<void> {
  const tools = startTools(java, { name: 'kafka', bootstrap, stop: async () => {} });
  try {
    for (const [tool, line] of STEPS) await tools.run(tool, ...line.split(' ').filter((word) => word !== ''));
  } finally {
    tools.close();
  }
}
