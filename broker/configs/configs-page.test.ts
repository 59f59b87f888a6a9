import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { BROKER_CONFIGS, brokerSetting } from './broker-configs.ts';
import { CLIENT_METRICS_CONFIGS } from './client-metrics-configs.ts';
import { configsPage } from './configs-page.ts';
import { GROUP_CONFIGS } from './group-configs.ts';
import { TOPIC_CONFIGS } from './topic-configs.ts';

test('CONFIGS.md says what the code says', async () => {
  await expect(configsPage()).toMatchFileSnapshot('../CONFIGS.md');
});

test('every setting names a place that exists, or has no effect', () => {
  const all = [...TOPIC_CONFIGS, ...BROKER_CONFIGS, ...GROUP_CONFIGS, ...CLIENT_METRICS_CONFIGS];
  const missing = all
    .map(({ actsIn }) => actsIn)
    .filter((place) => place !== undefined && !existsSync(join(import.meta.dirname, '..', place)));
  expect(missing).toEqual([]);
});

test('every default is a value that the setting takes', () => {
  const all = [...TOPIC_CONFIGS, ...GROUP_CONFIGS, ...CLIENT_METRICS_CONFIGS];
  expect(all.filter(({ check, fallback }) => check(fallback) !== undefined)).toEqual([]);
  const dynamic = BROKER_CONFIGS.filter(({ mode }) => mode === 'cluster-wide');
  const taken = dynamic.filter(
    ({ check, kafkaDefault }) => kafkaDefault === null || check(kafkaDefault) === undefined,
  );
  expect(taken).toEqual(dynamic);
});

test('names are told once, and a topic and its synonym have one default and one type', () => {
  for (const list of [TOPIC_CONFIGS, BROKER_CONFIGS, GROUP_CONFIGS]) {
    const names = list.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  }
  const differing = TOPIC_CONFIGS.filter(({ synonym, fallback, type }) => {
    const broker = synonym === undefined ? undefined : brokerSetting(synonym);
    const isOther = broker && broker.kafkaDefault !== null && broker.kafkaDefault !== fallback;
    return isOther || (broker && broker.type !== type);
  });
  expect(differing).toEqual([]);
});

const refused: Array<[name: string, value: string]> = [
  ['cleanup.policy', 'delete,archive'],
  ['compression.gzip.level', '0'],
  ['compression.type', 'brotli'],
  ['leader.replication.throttled.replicas', 'all'],
  ['max.decompressed.message.bytes', '2147483640'],
  ['max.message.bytes', '-1'],
  ['max.message.bytes', '1.5'],
  ['max.message.bytes', '2147483648'],
  ['message.timestamp.type', 'createtime'],
  ['min.cleanable.dirty.ratio', '1.1'],
  ['min.insync.replicas', '0'],
  ['preallocate', 'yes'],
  ['remote.storage.enable', 'true'],
  ['retention.ms', '-2'],
  ['retention.ms', '9223372036854775808'],
  ['retention.ms', ''],
  ['segment.bytes', '1048575'],
  ['segment.ms', '0'],
];
for (const [name, value] of refused) {
  test(`${name}=${value} is refused`, () => {
    expect(TOPIC_CONFIGS.find((one) => one.name === name)!.check(value)).toBeTypeOf('string');
  });
}

const taken: Array<[name: string, value: string]> = [
  ['cleanup.policy', ' compact , delete '],
  ['cleanup.policy', ''],
  ['compression.gzip.level', '-1'],
  ['flush.ms', '9223372036854775807'],
  ['leader.replication.throttled.replicas', '0:1,1:1'],
  ['min.cleanable.dirty.ratio', '0.01'],
  ['min.insync.replicas', '2'],
  ['preallocate', 'TRUE'],
  ['retention.ms', '9223372036854775807'],
  ['retention.ms', ' 1000 '],
];
for (const [name, value] of taken) {
  test(`${name}=${JSON.stringify(value)} is taken`, () => {
    expect(TOPIC_CONFIGS.find((one) => one.name === name)!.check(value)).toBeUndefined();
  });
}
