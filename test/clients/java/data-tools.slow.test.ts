/** Kafka's command line tools on topics with records in them, against our broker and a real Apache Kafka. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { compareWithKafka } from './compare-with-kafka.ts';
import { startTools, type Tool } from './tools.ts';
import { observeVerifiableGroup } from './verifiable-group.ts';

/** `FILE` stands for a file with the content of the third field. */
type Step = readonly [tool: Tool, line: string, file?: string];

const DELETE_TO = (topic: string, offset: number): string =>
  JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset }] });

const STEPS: readonly Step[] = [
  ['kafka-topics', '--create --topic one --partitions 1'],
  ['kafka-topics', '--create --topic empty --partitions 2'],
  ['kafka-topics', '--create --topic queue --partitions 1'],
  ['kafka-topics', '--create --topic compacted --config cleanup.policy=compact'],
  ['kafka-producer-perf-test', '--topic one --num-records 100 --payload-monotonic --throughput -1'],
  ['kafka-get-offsets', '--topic one'],
  ['kafka-get-offsets', '--topic one --time earliest'],
  ['kafka-get-offsets', '--topic one --time 0'],
  ['kafka-get-offsets', '--topic one --time 1600000000000'],
  ['kafka-get-offsets', '--topic one --time 4000000000000'],
  ['kafka-get-offsets', '--topic one --time earliest-local'],
  ['kafka-get-offsets', '--topic one --time latest-tiered'],
  ['kafka-get-offsets', '--topic empty --time max-timestamp'],
  ['kafka-get-offsets', '--topic-partitions one:0,empty:1'],
  ['kafka-console-consumer', '--topic one --partition 0 --offset 8 --max-messages 4'],
  ['kafka-console-consumer', '--topic one --group read --from-beginning --max-messages 3'],
  ['kafka-consumer-groups', '--describe --group read'],
  ['kafka-consumer-groups', '--reset-offsets --group read --topic one --shift-by 2 --execute'],
  ['kafka-consumer-groups', '--reset-offsets --group read --topic one --to-offset 500 --dry-run'],
  [
    'kafka-consumer-groups',
    '--reset-offsets --group read --topic one --to-datetime 2020-01-01T00:00:00.000 --execute',
  ],
  ['kafka-delete-records', '--offset-json-file FILE', DELETE_TO('one', 5)],
  ['kafka-delete-records', '--offset-json-file FILE', DELETE_TO('one', 1)],
  ['kafka-delete-records', '--offset-json-file FILE', DELETE_TO('one', 1_000)],
  ['kafka-delete-records', '--offset-json-file FILE', DELETE_TO('compacted', 0)],
  ['kafka-get-offsets', '--topic one --time -2'],
  ['kafka-consumer-groups', '--reset-offsets --group read --topic one --to-earliest --execute'],
  ['kafka-delete-records', '--offset-json-file FILE', DELETE_TO('one', -1)],
  ['kafka-get-offsets', '--topic one --time earliest'],
  ['kafka-log-dirs', '--describe --topic-list one,empty'],
  ['kafka-log-dirs', '--describe --topic-list absent'],
  ['kafka-log-dirs', '--describe --broker-list 1,99'],
  ['kafka-reassign-partitions', '--list'],
  [
    'kafka-configs',
    '--alter --entity-type groups --entity-name s --add-config share.auto.offset.reset=earliest',
  ],
  ['kafka-producer-perf-test', '--topic queue --num-records 12 --payload-monotonic --throughput -1'],
  ['kafka-console-share-consumer', '--topic queue --group s --max-messages 12 --timeout-ms 20000'],
  ['kafka-share-groups', '--list'],
  ['kafka-share-groups', '--list --state'],
  ['kafka-share-groups', '--describe --group s --state'],
  ['kafka-share-groups', '--describe --group s --members'],
  ['kafka-share-groups', '--describe --group s --offsets'],
  ['kafka-share-groups', '--reset-offsets --group s --topic queue --to-earliest --dry-run'],
  ['kafka-share-groups', '--reset-offsets --group s --topic queue --to-earliest --execute'],
  ['kafka-share-groups', '--describe --group s'],
  ['kafka-share-groups', '--reset-offsets --group s --all-topics --to-latest --execute'],
  ['kafka-share-groups', '--reset-offsets --group absent --topic queue --to-latest --execute'],
  ['kafka-share-groups', '--delete-offsets --group s --topic queue'],
  ['kafka-share-groups', '--delete-offsets --group s --topic absent'],
  ['kafka-share-groups', '--describe --group s --offsets '],
  ['kafka-groups', '--list'],
  ['kafka-groups', '--list --share'],
  ['kafka-share-groups', '--delete --group read'],
  ['kafka-share-groups', '--delete --group s'],
  ['kafka-share-groups', '--delete --group absent'],
  ['kafka-groups', '--list --group-type share'],
];

compareWithKafka('Kafka tools on data', ['tools-on-data'], async (java, _client, broker) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-tools-'));
  const path = join(directory, 'offsets.json');
  const tools = startTools(java, broker);
  const seen: Record<string, Record<string, string>> = {};
  try {
    for (const [tool, line, file] of STEPS) {
      if (file !== undefined) writeFileSync(path, file);
      const words = line.trim().split(' ');
      const answer = await tools.run(tool, ...words.map((word) => (word === 'FILE' ? path : word)));
      (seen[`data: ${tool}`] ??= {})[file === undefined ? line : line.replace('FILE', file)] = answer;
    }
    seen['data: kafka-broker-api-versions'] = apiVersions(await tools.run('kafka-broker-api-versions'));
    seen['data: kafka-verifiable-consumer'] = await observeVerifiableGroup(java, broker);
  } finally {
    tools.close();
    rmSync(directory, { recursive: true, force: true });
  }
  return seen;
});

/** A step for every API, so that one difference does not hide another. */
function apiVersions(text: string): Record<string, string> {
  const apis = [...text.matchAll(/^\s*(\w+)\((\d+)\): (.*?),?$/gm)];
  return Object.fromEntries(apis.map(([, name, key, versions]) => [`${key} ${name}`, versions!]));
}
