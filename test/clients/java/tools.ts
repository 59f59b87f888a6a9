/** Kafka's command line tools, run in one virtual machine, and what they print without what differs from run to run. */
import { createInterface } from 'node:readline';

import type { Java } from '../../support/java.ts';
import type { TargetBroker } from './target-broker.ts';

/** The class behind each script of Kafka's `bin` folder. */
const MAIN_CLASSES = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-groups': 'org.apache.kafka.tools.GroupsCommand',
  'kafka-share-groups': 'org.apache.kafka.tools.consumer.group.ShareGroupCommand',
  'kafka-acls': 'org.apache.kafka.tools.AclCommand',
  'kafka-transactions': 'org.apache.kafka.tools.TransactionsCommand',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'kafka-features': 'org.apache.kafka.tools.FeatureCommand',
  'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-metadata-quorum': 'org.apache.kafka.tools.MetadataQuorumCommand',
  'kafka-leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  'kafka-reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
  'kafka-client-metrics': 'org.apache.kafka.tools.ClientMetricsCommand',
  'kafka-delegation-tokens': 'org.apache.kafka.tools.DelegationTokenCommand',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
  'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-console-share-consumer': 'org.apache.kafka.tools.consumer.ConsoleShareConsumer',
} as const;
/** These take it before their subcommand only. */
const SERVER_FIRST = new Set<string>(['kafka-features', 'kafka-transactions', 'kafka-metadata-quorum']);
export type Tool = keyof typeof MAIN_CLASSES;

export interface Tools {
  /** Adds `--bootstrap-server` and answers the exit code and everything written, normalised. */
  run(tool: Tool, ...args: readonly string[]): Promise<string>;
  close(): void;
}

export function startTools(java: Java, broker: TargetBroker): Tools {
  const child = java.spawn('tools', 'millrace.Tools', []);
  const answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  let errors = '';
  child.stderr!.on('data', (chunk: Buffer) => void (errors += chunk.toString()));
  return {
    async run(tool, ...args) {
      const server = ['--bootstrap-server', broker.bootstrap];
      const words = [
        MAIN_CLASSES[tool],
        ...(SERVER_FIRST.has(tool) ? [...server, ...args] : [...args, ...server]),
      ];
      child.stdin!.write(`${words.map((word) => Buffer.from(word).toString('base64')).join(' ')}\n`);
      const { value, done } = (await answers.next()) as IteratorResult<string, undefined>;
      if (done) throw new Error(`the tools ended in ${tool}:\n${errors}`);
      const [code, written] = value.split(' ');
      const text = normalised(Buffer.from(written ?? '', 'base64').toString(), broker);
      return `exit ${code}\n${text}`.trimEnd();
    },
    close: () => void child.kill('SIGKILL'),
  };
}

/**
 * Ids, ports and times become their names, columns lose their widths. What a broker says about an error is in its own
 * words, so that only the error itself is kept, which the tools log.
 */
export function normalised(text: string, { bootstrap }: TargetBroker): string {
  const lines = text
    .replaceAll(bootstrap, 'HOST:PORT')
    .replaceAll(/localhost:\d+/g, 'HOST:PORT')
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'UUID')
    .replaceAll(/(TopicId: )[\w-]{22}/g, '$1ID')
    .replaceAll(/(Cluster ID: ).*/g, '$1ID')
    .replaceAll(/\b1[5-9]\d{11}\b/g, 'TIME')
    .replaceAll(/("(?:size|totalBytes|usableBytes)":)\d+/g, '$1N')
    .replaceAll(/("logDir":)"[^"]*"/g, '$1"DIR"')
    .replaceAll(/("avg_throughput":)[\d.]+/g, '$1N')
    .replaceAll(/(Created file:? |file: )\S*/g, '$1FILE')
    .replaceAll(/^\d+ records sent.*/gm, 'records sent')
    .replaceAll(/(Epoch: |LeaderEpoch: |HighWatermark: |MaxFollowerLag\w*: ).*/g, '$1N')
    .replaceAll(/(ClusterId: ).*/g, '$1ID')
    .replaceAll(/(failed due to (?:\w+\.)*\w+): .*/g, '$1')
    .replaceAll(/^(?:Caused by: )?(?:\w+\.)+\w+Exception: .*/gm, '')
    .replaceAll(/(Error while executing [\w ]+ :).*/g, '$1')
    .replaceAll(/^\[[^\]]*\] ERROR \S+ - (?:\w+\.)*(\w+(?:Exception|Error))\b.*/gm, '$1')
    .split('\n')
    .map((line) => line.replace(/^\[[^\]]*\] (ERROR|WARN) .*/, ''))
    .map((line) => line.replaceAll(/[ \t]+/g, ' ').trimEnd())
    .filter((line) => line !== '' && !line.startsWith(' at '));
  return resourcesInOrder(lines).join('\n');
}

/** The lists of access rules, of which kafka-acls keeps a map whose order differs from run to run. */
function resourcesInOrder(lines: readonly string[]): string[] {
  const blocks: string[][] = [];
  for (const line of lines) {
    if (!line.startsWith(' ') || blocks.length === 0) blocks.push([]);
    blocks.at(-1)!.push(line);
  }
  const isOfResource = ([first]: readonly string[]): boolean => /^\w+ ACLs for resource /.test(first!);
  const sorted = blocks.filter(isOfResource).toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1));
  return blocks.flatMap((block) => (isOfResource(block) ? sorted.shift()! : block));
}
