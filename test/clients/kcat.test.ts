import { spawn, spawnSync } from 'node:child_process';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { codecsOnDisk } from '../support/stored-batches.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';

const isThere = spawnSync('kcat', ['-V']).status === 0;
if (!isThere) console.log('skipped: kcat is not installed (Debian package kcat)');

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker();
});
afterAll(() => broker?.stop());

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

// librdkafka 2.0.2 decides by the advertised versions whether it may compress, and does so silently.
describe.skipIf(!isThere)('kcat', () => {
  for (const [attribute, codec] of codecs.entries()) {
    test(`-z ${codec}: what it produces is compressed on the disk, and it reads it back`, async () => {
      const topic = `codec-${codec}`;
      const sent = Array.from({ length: 200 }, (_, i) => `${i} ${'x'.repeat(100)}`);
      await kcat(['-P', '-t', topic, '-p', '0', '-z', codec, '-X', 'linger.ms=50'], sent.join('\n'));
      expect(await codecsOnDisk(broker, topic, 0)).toEqual([attribute]);
      const got = await kcat(['-C', '-t', topic, '-e', '-q']);
      expect(got.trimEnd().split('\n')).toEqual(sent);
    });
  }

  test('an idempotent producer', async () => {
    await kcat(['-P', '-t', 'idempotent', '-X', 'enable.idempotence=true'], 'a\nb\nc\n');
    expect(await kcat(['-C', '-t', 'idempotent', '-e', '-q'])).toBe('a\nb\nc\n');
  });

  test('a consumer group that nobody has used starts, and goes on where it stopped', async () => {
    await kcat(['-P', '-t', 'grouped'], 'a\nb\n');
    const settings = ['-X', 'auto.offset.reset=earliest', '-X', 'session.timeout.ms=6000'];
    expect(await kcat([...settings, '-c', '2', '-q', '-G', 'kcat-group', 'grouped'])).toBe('a\nb\n');
    await kcat(['-P', '-t', 'grouped'], 'c\n');
    expect(await kcat([...settings, '-c', '1', '-q', '-G', 'kcat-group', 'grouped'])).toBe('c\n');
  });

  test('metadata and offsets by time', async () => {
    await kcat(['-P', '-t', 'listed'], 'a\n');
    expect(await kcat(['-L', '-t', 'listed'])).toMatch(/topic "listed" with 1 partitions/);
    expect(await kcat(['-Q', '-t', 'listed:0:-1'])).toMatch(/listed \[0\] offset 1/);
  });
});

function kcat(args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('kcat', ['-b', broker.address, ...args]);
    let out = '';
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`kcat ${args.join(' ')} ended with ${code}: ${said}`));
    });
    child.stdin.end(input);
  });
}
