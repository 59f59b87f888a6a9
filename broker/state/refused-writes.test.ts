import { expect, test } from 'vitest';

import { SimMachine } from '../../test/sim/sim-host.ts';
import { openDiskLog } from '../log/open-log.ts';
import { CODE } from '../wire/errors.ts';
import { InternalTopic } from './internal-topic.ts';

test('an outage of the disk is one line, however many writes it refuses, and one more at its end', async () => {
  const machine = new SimMachine(5);
  const host = machine.boot();
  const { loop } = machine;
  const log = await loop.settle(openDiskLog({ dataDir: '/data', reserveBytes: 0, probeMs: 10 }, host));
  const topic = new InternalTopic(log, host, { name: '__consumer_offsets', partitions: 2 });
  const write = (key: string): Promise<number> =>
    loop.settle(topic.append(key, [{ key: Buffer.from(key), value: Buffer.from('value') }]));
  interface Said {
    readonly topic?: string;
    readonly refused?: number;
  }
  const said = (): Array<{ level: string; fields: Said }> =>
    host.lines
      .map(({ level, fields }) => ({ level, fields: fields as Said }))
      .filter(({ fields }) => fields.topic === '__consumer_offsets' && !('partition' in fields));
  expect(await write('first')).toBe(CODE.NONE);
  for (const outage of [1, 2]) {
    host.files.fault = (operation) => (operation === 'datasync' ? { code: 'EIO' } : undefined);
    for (let i = 0; i < 50; i += 1) expect(await write(`refused ${i}`)).toBe(CODE.COORDINATOR_NOT_AVAILABLE);
    expect(said()).toHaveLength(2 * outage - 1);
    host.files.fault = () => undefined;
    await loop.pass(1_000);
    for (let i = 0; i < 3; i += 1) expect(await write(`taken ${i}`)).toBe(CODE.NONE);
  }
  expect(said().map(({ level, fields }) => [level, fields.refused])).toEqual([
    ['warn', undefined],
    ['info', 50],
    ['warn', undefined],
    ['info', 50],
  ]);
  expect(said()[0]!.fields).not.toHaveProperty('err');
  const counted = host.metrics
    .snapshot()
    .find(({ name }) => name.endsWith('coordinator_refused_writes_total'));
  expect(counted!.series).toMatchObject([{ labels: { topic: '__consumer_offsets' }, value: 100 }]);
});
