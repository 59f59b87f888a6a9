import { expect, test } from 'vitest';

import { SimMachine } from '../../../test/sim/sim-host.ts';
import { replaceFile } from '../../host/files.ts';
import { clusterIdOf, FORMAT, META_NAME } from './meta-properties.ts';

const path = `/data/${META_NAME}`;

async function directory(content?: string): Promise<{
  open: () => Promise<string>;
  content: () => Promise<Buffer>;
  put: (bytes: Buffer) => Promise<void>;
  machine: SimMachine;
}> {
  const machine = new SimMachine(1);
  const host = machine.boot();
  await machine.loop.settle(host.files.makeDirectory('/data'));
  const put = (bytes: Buffer): Promise<void> => machine.loop.settle(replaceFile(host.files, path, bytes));
  if (content !== undefined) await put(Buffer.from(content));
  return {
    machine,
    put,
    open: () => machine.loop.settle(clusterIdOf(host, '/data')),
    content: async () => (await machine.loop.settle(host.files.readFile(path)))!,
  };
}

test('a new directory gets a cluster id, which stays', async () => {
  const { open, content } = await directory();
  const clusterId = await open();
  expect(Buffer.from(clusterId, 'base64url')).toHaveLength(16);
  expect(String(await content())).toMatch(
    new RegExp(
      `^version=1\ncluster.id=${clusterId}\nnode.id=1\nmillrace.format=${FORMAT}\nmillrace.crc32c=[0-9a-f]{8}\n$`,
    ),
  );
  expect(await open()).toBe(clusterId);
});

test('a file of before there was a checksum is read, and gets one; also on a disk that refuses it', async () => {
  const old = 'version=1\ncluster.id=abc\nnode.id=1\n';
  const { open, content, machine, put } = await directory(old);
  machine.disk.capacityBytes = 0;
  expect(await open()).toBe('abc');
  expect(String(await content())).toBe(old);
  machine.disk.capacityBytes = Infinity;
  expect(await open()).toBe('abc');
  expect(String(await content())).toContain('millrace.format=1\nmillrace.crc32c=');
  await put(Buffer.from('#\nnode.id=1\nversion=1\ncluster.id=abc'));
  expect(await open()).toBe('abc');
});

test('a newer format is refused with what to do, and nothing is written', async () => {
  const newer = `version=1\ncluster.id=abc\nnode.id=1\nmillrace.format=${FORMAT + 1}\n`;
  const { open, content } = await directory(newer);
  await expect(open()).rejects.toThrow(
    `got millrace.format "${FORMAT + 1}", want 1 to ${FORMAT}: a newer Millrace wrote this directory, and is needed to read it`,
  );
  expect(String(await content())).toBe(newer);
});

test.each(['version=0\ncluster.id=abc\n', 'version=1\n', 'version=1\ncluster.id=a\nmillrace.format=x\n', ''])(
  '%j is refused',
  async (content) => {
    const { open } = await directory(content);
    await expect(open()).rejects.toThrow(/^cannot open log: got /);
  },
);

test('no turned bit makes it another cluster', async () => {
  const { open, content, put } = await directory();
  const clusterId = await open();
  const intact = await content();
  const outcomes = new Set<string>();
  for (let bit = 0; bit < intact.length * 8; bit += 1) {
    const bytes = Buffer.from(intact);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    await put(bytes);
    outcomes.add(await open().catch((error: Error) => error.message.slice(0, 22)));
  }
  // Read as before where it was the key of the checksum.
  expect([...outcomes].sort()).toEqual(
    [clusterId, 'cannot open log: got d', 'cannot open log: got m'].sort(),
  );
});
