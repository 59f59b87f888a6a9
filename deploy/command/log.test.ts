import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { nodeHost } from '../../broker/host/node-host.ts';
import { openDiskLog } from '../../broker/log/open-log.ts';
import { recordBatch } from '../../test/support/record-batch.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await fs.mkdtemp(join(tmpdir(), 'millrace-log-command-'));
});
afterEach(() => fs.rm(dataDir, { recursive: true, force: true }));

function millrace(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const main = resolve(import.meta.dirname, 'main.ts');
  return spawnSync(process.execPath, [main, 'log', ...args], { encoding: 'utf8' });
}

test('verify tells clean, damaged and not there by its exit code, and sees a running broker; dump prints', async () => {
  expect(millrace('verify', '--data-dir', dataDir)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('got no meta.properties') as string,
  });
  const log = await openDiskLog({ dataDir: join(dataDir, 'broker') }, nodeHost());
  const topic = await log.createTopic({ name: 't', partitions: 1, configs: {} });
  await topic.partitions[0]!.append(recordBatch({ values: ['hello'] }), { nowMs: 0, origin: 'client' })
    .durable;
  expect(millrace('verify', '--data-dir', dataDir)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/1 batches, 1 records in .* s .*\nNothing is wrong\.\n$/) as string,
    stderr: expect.stringContaining('a broker is running') as string,
  });
  await log.close();
  expect(millrace('dump', '--data-dir', dataDir, '--topic', 't', '--records')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/\nbaseOffset: 0 .*\n\| offset: 0 .* payload: hello\n$/) as string,
    stderr: '',
  });

  const path = join(dataDir, 'broker', 'topics', topic.id, '0', `${'0'.repeat(20)}.log`);
  const bytes = await fs.readFile(path);
  bytes[65]! ^= 1;
  await fs.writeFile(path, bytes);
  const damaged = millrace('verify', '--data-dir', dataDir, '--json');
  expect(damaged).toMatchObject({ status: 1, stderr: '' });
  expect(JSON.parse(damaged.stdout)).toMatchObject({
    brokerIsRunning: false,
    findings: [{ severity: 'damage', position: 0, topic: 't', partition: 0, firstOffset: 0, lastOffset: 0 }],
    summary: { damage: 1 },
  });
});
