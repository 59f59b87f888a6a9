import { beforeEach, describe, expect, test } from 'vitest';

import { CLIENT, SimLog } from '../../../test/sim/sim-log.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import type { Topic } from '../log.ts';

let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(9, { segmentBytes: 2_000 });
});

async function create(name: string, partitions = 2, configs = {}): Promise<Topic> {
  return await sim.settle(sim.log.createTopic({ name, partitions, configs }));
}

async function append(topic: Topic, partition: number, value = 'x'.repeat(500)): Promise<number> {
  const batch = recordBatch({ values: [value] });
  return (await sim.append(topic.partitions[partition]!, batch)).baseOffset;
}

test('topics are listed by name and found by name and id, also after a power cut', async () => {
  const made = [await create('b'), await create('a', 1, { 'retention.ms': '5' })];
  await sim.restart('cut');
  expect(sim.log.topics().map(({ name, partitions }) => [name, partitions.length])).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
  for (const { name, id } of made) {
    expect(sim.log.topic(name)!.id).toBe(id);
    expect(sim.log.topicById(id)!.name).toBe(name);
  }
  expect(sim.log.topic('a')!.configs).toEqual({ 'retention.ms': '5' });
});

describe('more partitions', () => {
  test('join the old ones, whose records stay; they take records at once and after a power cut', async () => {
    const topic = await create('t', 2);
    await append(topic, 1);
    const grown = await sim.settle(sim.log.createPartitions('t', 4));
    expect(grown.partitions.map(({ partition }) => partition)).toEqual([0, 1, 2, 3]);
    expect(await append(grown, 3)).toBe(0);
    await sim.restart('cut');
    expect(sim.log.topic('t')!.id).toBe(topic.id);
    expect(sim.log.topic('t')!.partitions.map(({ highWatermark }) => highWatermark)).toEqual([0, 1, 0, 1]);
    expect(await append(sim.log.topic('t')!, 3)).toBe(1);
  });

  test.each([0, 1, 2])('than there are: %i is refused and changes nothing', async (count) => {
    await create('t', 2);
    await expect(sim.settle(sim.log.createPartitions('t', count))).rejects.toMatchObject({
      code: 'INVALID_PARTITIONS',
    });
    expect(sim.log.topic('t')!.partitions).toHaveLength(2);
  });

  test('that the disk refuses are not there, and a later try has them', async () => {
    await create('t', 1);
    sim.host.files.fault = (operation, path) =>
      operation === 'write' && path.includes('topics.') ? { code: 'ENOSPC' } : undefined;
    await expect(sim.settle(sim.log.createPartitions('t', 3))).rejects.toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
    });
    expect(sim.log.topic('t')!.partitions).toHaveLength(1);
    sim.host.files.fault = () => undefined;
    await sim.settle(sim.log.createPartitions('t', 3));
    await sim.restart('cut');
    expect(sim.log.topic('t')!.partitions).toHaveLength(3);
  });
});

describe('other settings', () => {
  test('hold from the next append and the next retention on, and after a power cut', async () => {
    const topic = await create('t', 1);
    for (let i = 0; i < 20; i++) await append(topic, 0);
    await sim.settle(sim.log.alterConfigs('t', { 'max.message.bytes': '300', 'retention.bytes': '3000' }));
    expect(() => topic.partitions[0]!.append(recordBatch({ values: ['x'.repeat(500)] }), CLIENT)).toThrow(
      expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }),
    );
    await sim.settle(sim.log.checkpoint());
    await sim.settle(sim.log.keepHouse());
    expect(topic.partitions[0]!.startOffset).toBeGreaterThan(10);
    await sim.restart('cut');
    expect(sim.log.topic('t')!.configs).toEqual({ 'max.message.bytes': '300', 'retention.bytes': '3000' });
    expect(() =>
      sim.log.topic('t')!.partitions[0]!.append(recordBatch({ values: ['x'.repeat(500)] }), CLIENT),
    ).toThrow(/max\.message\.bytes/);
  });

  test('replace all settings: what is not named is the default again', async () => {
    const topic = await create('t', 1, { 'max.message.bytes': '300' });
    await sim.settle(sim.log.alterConfigs('t', {}));
    expect(await append(topic, 0)).toBe(0);
    await sim.restart('cut');
    expect(sim.log.topic('t')!.configs).toEqual({});
  });
});

describe('what does not fit is refused', () => {
  test.each([
    [
      'a name twice',
      () => sim.log.createTopic({ name: 't', partitions: 1, configs: {} }),
      'TOPIC_ALREADY_EXISTS',
    ],
    ['growing an unknown one', () => sim.log.createPartitions('u', 5), 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['settings of an unknown one', () => sim.log.alterConfigs('u', {}), 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['deleting an unknown one', () => sim.log.deleteTopic('u'), 'UNKNOWN_TOPIC_OR_PARTITION'],
  ])('%s: %s', async (_, change, code) => {
    await create('t');
    await expect(sim.settle(change() as Promise<unknown>)).rejects.toMatchObject({ code });
  });
});

test('changes at the same time happen one after the other', async () => {
  const made = await sim.settle(
    Promise.allSettled([
      sim.log.createTopic({ name: 't', partitions: 1, configs: {} }),
      sim.log.createTopic({ name: 't', partitions: 9, configs: {} }),
      sim.log.createPartitions('t', 2),
      sim.log.createPartitions('t', 3),
      sim.log.deleteTopic('t'),
      sim.log.createTopic({ name: 't', partitions: 4, configs: {} }),
    ]),
  );
  expect(made.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    ...Array.from({ length: 4 }, () => 'fulfilled'),
  ]);
  await sim.restart('cut');
  expect(sim.log.topic('t')!.partitions).toHaveLength(4);
});

test('a topic created again under its name is another one, without the records of the first', async () => {
  const first = await create('t', 1);
  await append(first, 0);
  const waiting = first.partitions[0]!.read(0, 100, true);
  await sim.settle(waiting);
  await sim.settle(sim.log.deleteTopic('t'));
  const second = await create('t', 1);
  expect(second.id).not.toBe(first.id);
  expect(sim.log.topicById(first.id)).toBeUndefined();
  await expect(sim.settle(first.partitions[0]!.read(0, 100, true))).rejects.toMatchObject({
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  });
  await sim.restart('cut');
  expect(sim.log.topic('t')!.partitions[0]!.highWatermark).toBe(0);
});

test('a closed log changes nothing', async () => {
  await create('t');
  await sim.settle(sim.log.close());
  await expect(sim.settle(sim.log.createPartitions('t', 5))).rejects.toThrow(/closed/);
});
