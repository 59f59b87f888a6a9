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
  ['kafka-topics', '--alter --topic orders --partitions 4'],
  ['kafka-topics', '--alter --topic orders --partitions 2'],
  ['kafka-topics', '--describe --topic orders'],
  ['kafka-topics', '--delete --topic absent'],
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
