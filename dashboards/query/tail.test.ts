import type { FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';

import type { KafkaClient, Reader, ReaderOptions } from '../../broker/client/port.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { listen } from '../../broker/host/listen-fastify.ts';
import { encodeLogs } from '../../broker/records/otlp/write-logs.ts';
import { compilePipeline } from '../../sinks/logql/match.ts';
import { parseLogs } from '../../sinks/logql/parse.ts';
import { eventually } from '../../test/support/eventually.ts';
import { webConfig } from '../config.ts';
import { createServer } from './server.ts';
import { TailBuffer } from './tail-buffer.ts';
import { type Tail, type TailHub, type TailOptions, createTailHub } from './tail-hub.ts';
import { parsePosition, positionText } from './tail-position.ts';
import { tailRoutes } from './tail-routes.ts';

/** A topic in memory. Readers get what is there, one batch a partition, when `pump` is called. */
class FakeTopic {
  readonly partitions: Array<{ start: number; values: Array<{ value: Buffer; timestampMs: number }> }>;
  readonly readers = new Set<FakeReader>();
  opened = 0;
  reachable = true;

  constructor(partitions: number) {
    this.partitions = Array.from({ length: partitions }, () => ({ start: 0, values: [] }));
  }

  append(partition: number, ...lines: string[]): void {
    const { values } = this.partitions[partition]!;
    for (const line of lines) values.push({ value: recordOf(line), timestampMs: values.length });
  }

  end(partition: number): number {
    const { start, values } = this.partitions[partition]!;
    return start + values.length;
  }

  /** Retention: forgets records below `offset`. */
  deleteBefore(partition: number, offset: number): void {
    const one = this.partitions[partition]!;
    one.values.splice(0, offset - one.start);
    one.start = offset;
  }

  async pump(): Promise<void> {
    for (const reader of this.readers) await reader.pump();
  }

  client(): KafkaClient {
    const offsets = () =>
      this.partitions.map(({ start }, partition) => ({ partition, start, end: this.end(partition) }));
    return {
      admin: async () => ({
        offsets: async () => {
          if (!this.reachable) throw new Error('no broker answers');
          return offsets();
        },
      }),
      reader: async (options: ReaderOptions) => {
        this.opened += 1;
        const reader = new FakeReader(this, options);
        this.readers.add(reader);
        return reader;
      },
      close: async () => undefined,
    } as unknown as KafkaClient;
  }
}

class FakeReader implements Reader {
  readonly topic: FakeTopic;
  readonly options: ReaderOptions;
  readonly next: number[];
  readonly ends: number[];
  caughtUp = false;

  constructor(topic: FakeTopic, options: ReaderOptions) {
    this.topic = topic;
    this.options = options;
    const { from } = options;
    this.ends = topic.partitions.map((_, partition) => topic.end(partition));
    this.next = topic.partitions.map(({ start, values }, partition) => {
      if (from === 'latest') return topic.end(partition);
      if (from === 'earliest') return start;
      if ('offsets' in from) return Math.max(start, from.offsets[partition] ?? start);
      const found = values.findIndex(({ timestampMs }) => timestampMs >= from.timestampMs);
      return found === -1 ? topic.end(partition) : start + found;
    });
  }

  async pump(): Promise<void> {
    for (const [partition, { start, values }] of this.topic.partitions.entries()) {
      if (!this.topic.readers.has(this)) return;
      const from = this.next[partition]!;
      const end = this.topic.end(partition);
      if (from >= end) continue;
      const records = values.slice(from - start).map(({ value, timestampMs }, index) => {
        return { offset: from + index, timestampMs, key: null, value, headers: {} };
      });
      await this.options.onBatch({ topic: 'otlp_logs', partition, records, highWatermark: end });
      this.next[partition] = end;
    }
    if (!this.caughtUp && this.next.every((offset, partition) => offset >= this.ends[partition]!)) {
      this.caughtUp = true;
      this.options.onCaughtUp?.();
    }
  }

  async close(): Promise<void> {
    this.topic.readers.delete(this);
  }
}

function recordOf(line: string): Buffer {
  return encodeLogs({
    resource: { attributes: { 'service.name': 'svc' } },
    records: [{ timeUnixNano: 1_700_000_000_123_456_789n, body: line }],
  });
}

const host = nodeHost();
const nextTurn = () => new Promise<void>((resolve) => host.timers.soon(resolve));

interface Watched {
  readonly tail: Tail;
  readonly lines: string[];
}

async function watch(
  hub: TailHub,
  from: TailOptions['from'],
  query = '{}',
  room: () => Promise<void> = () => Promise.resolve(),
): Promise<Watched> {
  const lines: string[] = [];
  const tail = await hub.open({
    pipeline: compilePipeline(parseLogs(query)),
    from,
    onLine: ({ line }) => void lines.push(line),
    room,
  });
  return { tail, lines };
}

let apps: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  apps = [];
});

test('two tails share one reader, each with its own filter', async () => {
  const topic = new FakeTopic(2);
  topic.append(0, 'before');
  const hub = createTailHub(topic.client(), host, 'otlp_logs');
  const all = await watch(hub, 'now');
  const some = await watch(hub, 'now', '{service_name="svc"} |= "b"');
  topic.append(0, 'a', 'b');
  topic.append(1, 'bb');
  await topic.pump();
  expect(topic.opened).toBe(1);
  expect(all.lines).toEqual(['a', 'b', 'bb']);
  expect(some.lines).toEqual(['b', 'bb']);
  expect(positionText(some.tail.position())).toBe('0:3,1:1');
  await some.tail.close();
  topic.append(0, 'b again');
  await topic.pump();
  expect([all.lines.length, some.lines.length]).toEqual([4, 2]);
  await hub.close();
  expect(topic.readers.size).toBe(0);
});

test('resuming anywhere gives every later record once, whatever happens between', async () => {
  let seed = 3;
  const next = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  for (let run = 0; run < 60; run += 1) {
    const topic = new FakeTopic(3);
    const hub = createTailHub(topic.client(), host, 'otlp_logs');
    let written = 0;
    const write = (): void => {
      for (let i = next(4); i > 0; i -= 1) {
        topic.append(next(3), `line ${written}`);
        written += 1;
      }
    };
    write();
    const first = await watch(hub, { position: parsePosition('0:0,1:0,2:0')! });
    let watched = first;
    const seen: string[] = [];
    for (let step = 0; step < 25; step += 1) {
      write();
      const action = next(4);
      if (action === 0) {
        // The connection breaks; the browser comes back with the position that it saw last.
        await watched.tail.close();
        seen.push(...watched.lines);
        const at = parsePosition(positionText(watched.tail.position()))!;
        if (next(2) === 0) write();
        if (next(3) === 0) await topic.pump();
        watched = await watch(hub, { position: at });
      } else if (action === 1) await [...topic.readers][next(topic.readers.size)]?.pump();
      else if (action === 2) await topic.pump();
      else await nextTurn();
    }
    for (let i = 0; i < 4; i += 1) {
      await topic.pump();
      await nextTurn();
    }
    seen.push(...watched.lines);
    expect(seen.toSorted()).toEqual(Array.from({ length: written }, (_, i) => `line ${i}`).toSorted());
    // It has joined the shared reader, or is it alone.
    expect(topic.readers.size).toBe(1);
    await hub.close();
  }
});

test('a position that retention has passed goes on at what is left, and joins', async () => {
  const topic = new FakeTopic(2);
  topic.append(0, 'gone', 'gone too');
  topic.append(1, 'kept');
  topic.deleteBefore(0, 2);
  const hub = createTailHub(topic.client(), host, 'otlp_logs');
  const watched = await watch(hub, { position: parsePosition('0:0,1:0')! });
  await topic.pump();
  await nextTurn();
  expect(topic.readers.size).toBe(1);
  topic.append(0, 'new');
  await topic.pump();
  expect(watched.lines).toEqual(['kept', 'new']);
  await hub.close();
});

test('since a time: what was appended then, and everything after', async () => {
  const topic = new FakeTopic(2);
  topic.append(0, 'at 0', 'at 1', 'at 2');
  const hub = createTailHub(topic.client(), host, 'otlp_logs');
  const watched = await watch(hub, { timestampMs: 1 });
  await topic.pump();
  await nextTurn();
  expect(topic.readers.size).toBe(1);
  topic.append(1, 'at 0 again');
  await topic.pump();
  expect(watched.lines).toEqual(['at 1', 'at 2', 'at 0 again']);
  await hub.close();
});

test('a record that is no OTLP is skipped and counted', async () => {
  const topic = new FakeTopic(1);
  const hub = createTailHub(topic.client(), host, 'otlp_logs');
  const watched = await watch(hub, 'now');
  topic.partitions[0]!.values.push({ value: Buffer.from('\xff\xff\xff', 'latin1'), timestampMs: 0 });
  topic.append(0, 'fine');
  await topic.pump();
  expect(watched.lines).toEqual(['fine']);
  const counted = host.metrics
    .snapshot()
    .find(({ name }) => name === 'millrace_web_tail_unreadable_records_total');
  expect(counted?.series[0]?.value).toBe(1);
  await hub.close();
});

test('a full buffer drops the oldest and says how many', () => {
  const buffer = new TailBuffer(2_500);
  let told = 0;
  for (let i = 0; i < 100; i += 1) {
    told += buffer.push({ timestampNs: String(i), line: `line ${i}`, labels: {} });
  }
  const { lines, dropped } = buffer.take();
  expect(lines.length + dropped).toBe(100);
  expect(told).toBe(dropped);
  expect(lines.at(-1)?.line).toBe('line 99');
  expect(lines.map(({ line }) => line)).toEqual(
    Array.from({ length: lines.length }, (_, i) => `line ${dropped + i}`),
  );
  expect(buffer.take()).toEqual({ lines: [], dropped: 0 });
});

test.each(['', '0', '0:', 'a:b', '0:1,', '0:1;1:2', '0:-1'])('position %j is refused', (text) => {
  expect(parsePosition(text)).toBeUndefined();
});

interface Event {
  event?: string;
  id?: string;
  data?: string;
}

/** Reads events of a stream until `enough`, then leaves. */
async function readEvents(
  url: string,
  enough: (events: Event[]) => boolean,
  headers: Record<string, string> = {},
): Promise<Event[]> {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const events: Event[] = [];
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      events.push(Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s))) as Event);
    }
    if (enough(events)) break;
  }
  abort.abort();
  return events;
}

async function serve(topic: FakeTopic, settings: object = {}): Promise<string> {
  const app = createServer(host, { localNamesOnly: true });
  apps.push(app);
  const config = webConfig.parse({ tail: { flushIntervalMs: 1, ...settings } });
  tailRoutes(app, createTailHub(topic.client(), host, 'otlp_logs'), host, config.tail);
  const { port } = await listen(app, '127.0.0.1', 0);
  return `http://127.0.0.1:${port}/api/tail`;
}

test('over HTTP: lines with labels, and a reconnect with Last-Event-ID misses nothing', async () => {
  const topic = new FakeTopic(1);
  const url = await serve(topic);
  const pumping = host.timers.every(1, () => void topic.pump());
  try {
    const first = readEvents(`${url}?query=${encodeURIComponent('{} |= "line"')}`, (events) =>
      events.some(({ event }) => event === 'lines'),
    );
    await eventually(() => expect(topic.readers.size).toBe(1));
    topic.append(0, 'line 1', 'other');
    const events = await first;
    const { id, data } = events.find(({ event }) => event === 'lines')!;
    expect(events[0]).toEqual({ retry: '1000', id: '0:0' });
    expect(id).toBe('0:2');
    expect(JSON.parse(data!)).toEqual({
      lines: [
        {
          timestampNs: '1700000000123456789',
          line: 'line 1',
          labels: { level: 'unknown', detected_level: 'unknown', service_name: 'svc' },
        },
      ],
      dropped: 0,
    });
    topic.append(0, 'line 2');
    const resumed = await readEvents(url, (all) => all.some(({ event }) => event === 'lines'), {
      'last-event-id': id!,
    });
    const lines = JSON.parse(resumed.find(({ event }) => event === 'lines')!.data!) as {
      lines: Array<{ line: string }>;
    };
    expect(lines.lines.map(({ line }) => line)).toEqual(['line 2']);
  } finally {
    pumping();
  }
});

test('silence is kept alive, with the position', async () => {
  const topic = new FakeTopic(1);
  const url = await serve(topic, { heartbeatIntervalMs: 1 });
  const pumping = host.timers.every(1, () => void topic.pump());
  try {
    topic.append(0, 'not matched');
    const events = await readEvents(`${url}?position=0:0&query=${encodeURIComponent('{} |= "zzz"')}`, (all) =>
      all.some(({ id }) => id === '0:1'),
    );
    expect(events.some(({ event }) => event === 'lines')).toBe(false);
  } finally {
    pumping();
  }
});

test.each([
  ['?query=%7B', 400, 'cannot parse query'],
  ['?query=rate(%7B%7D[1m])', 400, 'a metric query'],
  ['?position=x', 400, 'cannot resume'],
])('%s is refused with %s', async (search, status, message) => {
  const url = await serve(new FakeTopic(1));
  const answer = await fetch(url + search);
  expect([answer.status, await answer.text()]).toEqual([status, expect.stringContaining(message)]);
});

test('an unreachable log and too many tails are refused with 503', async () => {
  const away = new FakeTopic(1);
  away.reachable = false;
  expect((await fetch(await serve(away))).status).toBe(503);
  const url = await serve(new FakeTopic(1), { clientsMax: 1 });
  const one = new AbortController();
  await fetch(url, { signal: one.signal });
  expect((await fetch(url)).status).toBe(503);
  one.abort();
  await eventually(async () => {
    const again = new AbortController();
    const { status } = await fetch(url, { signal: again.signal });
    again.abort();
    expect(status).toBe(200);
  });
});
