import { once } from 'node:events';
import * as net from 'node:net';

import { afterEach, expect, test, vi } from 'vitest';

import type { Socket } from './net.ts';
import { nodeNet, readingInPlace } from './node-net.ts';
import { SOCKET_OPTIONS } from './socket-options.ts';

const closing: Array<() => unknown> = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Served {
  readonly client: net.Socket;
  readonly server: Socket;
  readonly chunks: Buffer[];
  /** Of the chunks as they came. */
  readonly memories: Set<ArrayBufferLike>;
  readonly ended: Promise<Error | undefined>;
}

type Listen = (onSocket: (socket: Socket) => void) => Promise<number>;

async function inPlace(onSocket: (socket: Socket) => void): Promise<number> {
  const listener = await nodeNet.listen({ host: '127.0.0.1', port: 0 }, onSocket);
  closing.push(() => listener.close());
  return listener.address.port;
}

/** As in a Node that keeps its handle elsewhere: nobody finds one on an accepted socket. */
async function withoutHandle(onSocket: (socket: Socket) => void): Promise<number> {
  const server = net.createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, (accepted) => {
    const hidden = new Proxy(accepted, {
      get(target, name) {
        if (name === '_handle') return undefined;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    onSocket(readingInPlace(hidden));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => new Promise((done) => void server.close(done)));
  return (server.address() as net.AddressInfo).port;
}

async function serve(listen: Listen, pauses = false): Promise<Served> {
  const accepted = Promise.withResolvers<Socket>();
  const ended = Promise.withResolvers<Error | undefined>();
  const chunks: Buffer[] = [];
  const memories = new Set<ArrayBufferLike>();
  const port = await listen((socket) => {
    socket.start({
      data(chunk) {
        memories.add(chunk.buffer);
        // The next read may land in the same place.
        chunks.push(Buffer.from(chunk));
      },
      drain: () => {},
      close: (error) => ended.resolve(error),
    });
    if (pauses) socket.pause();
    else socket.resume();
    accepted.resolve(socket);
  });
  const client = net.connect(port, '127.0.0.1');
  client.on('error', () => {});
  await once(client, 'connect');
  closing.push(() => client.destroy());
  return { client, server: await accepted.promise, chunks, memories, ended: ended.promise };
}

const pattern = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7) % 251));
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i += 1) await new Promise((done) => void setImmediate(done));
};
const bytesOf = (chunks: readonly Buffer[]): number => chunks.reduce((sum, { length }) => sum + length, 0);
const received = (chunks: readonly Buffer[], bytes: number): Promise<void> =>
  vi.waitFor(() => expect(bytesOf(chunks)).toBe(bytes), { timeout: 10_000, interval: 1 });

test('accepted sockets all read into one place', async () => {
  const first = await serve(inPlace);
  const second = await serve(inPlace);
  for (const { client, chunks } of [first, second]) {
    client.write(pattern);
    await received(chunks, pattern.length);
    expect(Buffer.concat(chunks).equals(pattern)).toBe(true);
  }
  expect(first.memories.size).toBe(1);
  expect(second.memories).toEqual(first.memories);
  expect([...first.memories][0]!.byteLength).toBe(256 * 1024);
});

test('where Node has no handle to take over, they read as Node does', async () => {
  const { client, chunks, memories } = await serve(withoutHandle);
  client.write(pattern);
  await received(chunks, pattern.length);
  expect(Buffer.concat(chunks).equals(pattern)).toBe(true);
  expect([...memories].every(({ byteLength }) => byteLength < 256 * 1024)).toBe(true);
});

for (const [name, listen] of [
  ['in place', inPlace],
  ['as Node does', withoutHandle],
] as const) {
  test(`${name}: addresses, answers, and the end of either side`, async () => {
    const { client, server, ended } = await serve(listen);
    expect(server.remote).toEqual({ host: '127.0.0.1', port: client.localPort });
    expect(server.local).toEqual({ host: '127.0.0.1', port: client.remotePort });
    const answer: Buffer[] = [];
    client.on('data', (chunk: Buffer) => answer.push(chunk));
    server.write([pattern.subarray(0, 1_000), pattern.subarray(1_000)]);
    await received(answer, pattern.length);
    expect(Buffer.concat(answer).equals(pattern)).toBe(true);
    client.end();
    expect(await ended).toBeUndefined();
  });

  test(`${name}: nothing is read while it is paused, and nothing is lost`, async () => {
    const { client, server, chunks } = await serve(listen, true);
    const sent = new Promise((done) => void client.write(pattern, done));
    // The kernel takes a part of it; the client is not done before somebody reads.
    await turns(200);
    expect(bytesOf(chunks)).toBe(0);
    server.resume();
    await received(chunks, pattern.length);
    await sent;
    server.pause();
    await turns(10);
    client.write('more');
    server.resume();
    await received(chunks, pattern.length + 4);
    expect(Buffer.concat(chunks).subarray(0, pattern.length).equals(pattern)).toBe(true);
  });

  test(`${name}: a peer that resets is told with its error, once`, async () => {
    const { client, ended } = await serve(listen);
    client.resetAndDestroy();
    expect(await ended).toMatchObject({ code: 'ECONNRESET' });
  });
}

const LARGE = Buffer.concat(Array.from({ length: 4 }, () => pattern));
/** The share, and of each of two sockets what was begun by then. */
const TURN_BYTES_MAX = (512 + 2 * 256) * 1024;

test('one turn reads half a megabyte and not much more, whoever sends', async () => {
  const served = [await serve(inPlace, true), await serve(inPlace, true)];
  for (const { client } of served) client.write(LARGE);
  // The kernel has taken megabytes of each by now.
  await turns(200);
  for (const { server } of served) server.resume();
  const bytes = (): number => served.reduce((sum, { chunks }) => sum + bytesOf(chunks), 0);
  let most = 0;
  for (let before = 0; before < 2 * LARGE.length; before = bytes()) {
    await turns(1);
    most = Math.max(most, bytes() - before);
  }
  expect(most).toBeLessThanOrEqual(TURN_BYTES_MAX);
  for (const { chunks } of served) expect(Buffer.concat(chunks).equals(LARGE)).toBe(true);
});

test('one that is paused while it rests is not read, and one that is resumed meanwhile is', async () => {
  const { client, server, chunks } = await serve(inPlace, true);
  client.write(LARGE);
  await turns(200);
  server.resume();
  while (chunks.length === 0) await turns(1);
  server.pause();
  const before = bytesOf(chunks);
  await turns(20);
  expect(bytesOf(chunks)).toBe(before);
  server.resume();
  await received(chunks, LARGE.length);
  expect(Buffer.concat(chunks).equals(LARGE)).toBe(true);
});

test('large writes arrive whole and in order, with small ones behind them, and say once that there is room', async () => {
  const drains: number[] = [];
  const accepted = Promise.withResolvers<Socket>();
  const port = await inPlace((socket) => {
    socket.start({ data() {}, drain: () => void drains.push(done.length), close() {} });
    socket.resume();
    accepted.resolve(socket);
  });
  const done: string[] = [];
  const client = net.connect(port, '127.0.0.1');
  closing.push(() => client.destroy());
  const answer: Buffer[] = [];
  client.on('data', (chunk: Buffer) => answer.push(chunk));
  const server = await accepted.promise;
  const cut = [LARGE.subarray(0, 1), LARGE.subarray(1, 700_000), LARGE.subarray(700_000)];
  expect(server.write(cut, () => void done.push('large'))).toBe(false);
  expect(server.write([Buffer.from('small')], () => void done.push('small'))).toBe(false);
  server.end();
  await once(client, 'close');
  expect(Buffer.concat(answer).equals(Buffer.concat([LARGE, Buffer.from('small')]))).toBe(true);
  expect({ done, drains }).toEqual({ done: ['large', 'small'], drains: [2] });
});

test('who waits for a write is told when the socket goes', async () => {
  const { client, server, ended } = await serve(inPlace);
  client.pause();
  const done: string[] = [];
  const huge = Buffer.concat(Array.from({ length: 5 }, () => LARGE));
  server.write([huge], () => void done.push('huge'));
  server.write([huge], () => void done.push('behind'));
  await turns(20);
  expect(done).toEqual([]);
  server.destroy();
  await ended;
  await vi.waitFor(() => expect(done).toEqual(['huge', 'behind']));
  expect(server.write([huge], () => void done.push('late'))).toBe(true);
  expect(done).toEqual(['huge', 'behind', 'late']);
});
