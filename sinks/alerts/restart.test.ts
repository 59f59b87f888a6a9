import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type {
  ConsumedBatch,
  ConsumedRecord,
  ConsumerOptions,
  KafkaClient,
  ProduceRecord,
} from '../../broker/client/port.ts';
import type { Host } from '../../broker/host/host.ts';
import { silentLog } from '../../broker/host/log.ts';
import { createMetrics } from '../../broker/host/metrics.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { encodeLogs } from '../../broker/records/otlp/write-logs.ts';
import { ALERTS_TOPIC } from '../../broker/records/topics.ts';
import { alertsConfig } from './config.ts';
import type { HttpPost } from './http-post.ts';
import { Runtime } from './runtime.ts';
import { applyRecord, emptyState, type StoredState } from './state.ts';
import { alertsView } from './view.ts';

// More for a long run: MILLRACE_ALERT_RUNS=1000 npx vitest run sinks/alerts/restart.test.ts
const RUNS = Number(process.env['MILLRACE_ALERT_RUNS'] ?? 15);

const START = 1_700_000_010_000;
const RULES = `groups:
  - name: g
    rules:
      - alert: Errors
        expr: sum by (service_name) (count_over_time({} |= "boom" [1m])) > 2
        labels: {severity: page}
        annotations: {summary: '{{ $labels.service_name }} has {{ $value }}'}
`;

/** Topics, time and a webhook that outlive the process under test; its steps are counted, and one may be its last. */
class World {
  nowMs = START;
  readonly topics = new Map<string, ConsumedRecord[][]>();
  readonly received: Array<{ id: string; status: string; labels: Record<string, string>; atMs: number }> = [];
  readonly rules = new Map([['/rules/a.yaml', RULES]]);
  /** Answers of the webhook, in order; then 200. */
  answers: number[] = [];
  steps = 0;
  /** The process dies at this step, and nothing that it does later reaches the world. */
  dieAt = Infinity;
  died = '';
  /** What the webhook has got by then without anything durable saying so. */
  readonly unknown = new Set<string>();
  alive = { dead: false };
  private timers: Array<{ atMs: number; fn: () => void }> = [];
  private waiters: Array<() => void> = [];

  constructor() {
    this.topics.set('otlp_logs', [[], []]);
    this.topics.set(ALERTS_TOPIC, [[]]);
  }

  /** One interaction of the process with the world; never resolves when it is the last. */
  async step(name: string, life: { dead: boolean }): Promise<void> {
    if (!life.dead) {
      this.steps += 1;
      if (this.steps === this.dieAt) {
        life.dead = true;
        this.died = name;
        const { notifications } = this.state();
        for (const { id } of this.received) {
          const deliveries = Object.values(notifications.get(id)?.deliveries ?? {});
          if (deliveries.some(({ outcome }) => outcome === 'waiting')) this.unknown.add(id);
        }
      }
    }
    if (life.dead) await new Promise<never>(() => undefined);
  }

  append(topic: string, partition: number, records: readonly ProduceRecord[]): void {
    const log = this.topics.get(topic)![partition]!;
    for (const { key, value } of records) {
      log.push({
        offset: log.length,
        timestampMs: this.nowMs,
        key: key && Buffer.from(key),
        value: value && Buffer.from(value),
        headers: {},
      });
    }
    for (const wake of this.waiters.splice(0)) wake();
  }

  log(body: string, service = 'shop', partition = 0): void {
    const records = [{ timeUnixNano: BigInt(this.nowMs) * 1_000_000n, body, severityNumber: 17 }];
    const value = encodeLogs({ resource: { attributes: { 'service.name': service } }, records });
    this.append('otlp_logs', partition, [{ key: null, value }]);
  }

  /** Lets time pass in steps, with everything that becomes due. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    for (;;) {
      await turns();
      this.timers.sort((a, b) => a.atMs - b.atMs);
      const next = this.timers[0];
      if (!next || next.atMs > endMs) break;
      this.timers.shift();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.fn();
    }
    this.nowMs = endMs;
    await turns();
  }

  host(life: { dead: boolean }): Host {
    const after = (delayMs: number, fn: () => void) => {
      const timer = { atMs: this.nowMs + delayMs, fn: () => !life.dead && fn() };
      this.timers.push(timer);
      return () => void (this.timers = this.timers.filter((one) => one !== timer));
    };
    return {
      ...nodeHost(silentLog),
      metrics: createMetrics(),
      clock: {
        nowMs: () => this.nowMs,
        nowNs: () => BigInt(this.nowMs) * 1_000_000n,
        monotonicMs: () => this.nowMs,
      },
      random: { bytes: (length) => Buffer.alloc(length), uuid: () => '', unit: () => 0.5 },
      timers: {
        after,
        every: (periodMs, fn) => {
          let cancelled = false;
          let cancel = (): void => undefined;
          const again = (): void => {
            cancel = after(periodMs, () => {
              fn();
              if (!cancelled) again();
            });
          };
          again();
          return () => {
            cancelled = true;
            cancel();
          };
        },
        soon: (fn) => void setImmediate(fn),
        sleep: (delayMs, signal) =>
          new Promise((resolve) => {
            const cancel = after(delayMs, () => resolve());
            signal?.addEventListener('abort', () => {
              cancel();
              resolve();
            });
          }),
      },
      files: {
        ...nodeHost(silentLog).files,
        stat: (path) =>
          Promise.resolve(
            path === '/rules'
              ? { size: 0, modifiedMs: 0, device: 0, inode: 0, isDirectory: true }
              : undefined,
          ),
        list: () => Promise.resolve([...this.rules.keys()].map((path) => path.slice('/rules/'.length))),
        readFile: (path) => {
          const text = this.rules.get(path);
          return Promise.resolve(text === undefined ? undefined : Buffer.from(text));
        },
      },
    };
  }

  post(life: { dead: boolean }): HttpPost {
    return async (_url, { headers, body }) => {
      await this.step('before a post', life);
      const status = this.answers.shift() ?? 200;
      if (status < 300) {
        const { alerts } = JSON.parse(body) as {
          alerts: Array<{ status: string; labels: Record<string, string> }>;
        };
        const [alert] = alerts;
        const id = headers['X-Millrace-Notification-Id'] ?? '';
        this.received.push({ id, status: alert!.status, labels: alert!.labels, atMs: this.nowMs });
      }
      await this.step('after a post', life);
      return { status };
    };
  }

  kafka(life: { dead: boolean }): KafkaClient {
    const partitionsOf = (topic: string): ConsumedRecord[][] => this.topics.get(topic)!;
    return {
      producer: () =>
        Promise.resolve({
          send: async (topic, records) => {
            await this.step('before a send', life);
            this.append(topic, 0, records);
            await this.step('after a send', life);
            return [{ partition: 0, baseOffset: 0 }];
          },
          close: () => Promise.resolve(),
        }),
      consumer: (options) => Promise.resolve(this.consume(options, life)),
      reader: async ({ topic, onBatch, onCaughtUp }) => {
        for (const [partition, records] of partitionsOf(topic).entries()) {
          if (records.length > 0)
            await onBatch({ topic, partition, records: [...records], highWatermark: records.length });
        }
        onCaughtUp?.();
        return { close: () => Promise.resolve() };
      },
      admin: () =>
        Promise.resolve({
          ensureTopics: () => Promise.resolve(),
          deleteTopics: () => Promise.resolve(),
          topics: () => Promise.resolve([]),
          origin: () => Promise.resolve({ clusterId: 'c', topicId: 't' }),
          offsets: (topic) =>
            Promise.resolve(
              partitionsOf(topic).map((records, partition) => ({ partition, start: 0, end: records.length })),
            ),
          groups: () => Promise.resolve([]),
          committed: () => Promise.resolve([]),
        }),
      close: () => Promise.resolve(),
    };
  }

  private consume(options: ConsumerOptions, life: { dead: boolean }) {
    const logs = this.topics.get(options.topics[0]!)!;
    const positions = logs.map(() => 0);
    let isOpen = true;
    let running = Promise.resolve();
    const run = async (): Promise<void> => {
      await options.onAssigned?.(logs.map((_log, partition) => ({ topic: options.topics[0]!, partition })));
      while (isOpen && !life.dead) {
        const partition = logs.findIndex((log, index) => log.length > positions[index]!);
        if (partition === -1) {
          await new Promise<void>((resolve) => this.waiters.push(resolve));
          continue;
        }
        const log = logs[partition]!;
        const records = log.slice(positions[partition]);
        await this.step('before a batch', life);
        const batch: ConsumedBatch = {
          topic: options.topics[0]!,
          partition,
          records,
          highWatermark: log.length,
        };
        await options.onBatch(batch);
        positions[partition] = records.at(-1)!.offset + 1;
        await this.step('after a batch', life);
      }
    };
    void turns().then(() => (running = run()));
    return {
      commit: () => Promise.resolve(),
      pause: () => undefined,
      resume: () => undefined,
      seek: ({ partition, offset }: { partition: number; offset: number }) =>
        void (positions[partition] = offset),
      close: async () => {
        isOpen = false;
        for (const wake of this.waiters.splice(0)) wake();
        await running;
      },
    };
  }

  /** A process: a runtime of its own, until it dies or is stopped. */
  async launch(settings: Record<string, unknown> = {}): Promise<Runtime> {
    this.alive = { dead: false };
    const life = this.alive;
    const config = alertsConfig.parse({
      rules: ['/rules'],
      webhooks: [{ url: 'http://hook.test/x' }],
      ...settings,
    });
    const runtime = new Runtime(config, this.host(life), this.kafka(life), this.post(life));
    void runtime.run();
    await turns();
    return runtime;
  }

  /** Kills the process without a word. */
  kill(): void {
    this.alive.dead = true;
  }

  state(): StoredState {
    const state = emptyState();
    for (const { key, value } of this.topics.get(ALERTS_TOPIC)![0]!) applyRecord(state, key, value);
    return state;
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Three errors, then silence for two minutes. The process is started again after it died. */
async function story(world: World): Promise<void> {
  await world.launch();
  const relaunch = async (): Promise<void> => {
    if (!world.alive.dead) return;
    world.dieAt = Infinity;
    await world.launch();
  };
  for (let second = 1; second <= 3; second += 1) {
    await world.pass(1_000);
    await relaunch();
    world.log('boom', 'shop', second % 2);
  }
  for (let slice = 0; slice < 30; slice += 1) {
    await world.pass(5_000);
    await relaunch();
  }
}

describe('an alert whose process is killed', () => {
  test('fires once and resolves once, wherever that happens; only a send of unknown outcome repeats', async () => {
    const undisturbed = new World();
    await story(undisturbed);
    const steps = undisturbed.steps;
    expect(undisturbed.received.map(({ status }) => status)).toEqual(['firing', 'resolved']);
    expect(undisturbed.received[0]!.atMs).toBe(START + 3_000);
    expect(steps).toBeGreaterThan(15);
    const places = new Set<string>();
    let repeats = 0;
    for (let dieAt = 1; dieAt <= steps; dieAt += 1) {
      const world = new World();
      world.dieAt = dieAt;
      await story(world);
      places.add(world.died);
      const told = world.received.map(({ status, id }) => `${status} ${id}`);
      const distinct = [...new Set(told)];
      const at = `killed at step ${dieAt}, ${world.died}`;
      const repeated = world.received.filter(({ id }, index) =>
        world.received.slice(0, index).some((before) => before.id === id),
      );
      expect({
        at,
        told: distinct.map((one) => one.split(' ')[0]),
        repeatsExplained:
          repeated.length <= world.unknown.size && repeated.every(({ id }) => world.unknown.has(id)),
      }).toEqual({ at, told: ['firing', 'resolved'], repeatsExplained: true });
      repeats += repeated.length;
    }
    // The test would prove little if no send had ever been of unknown outcome.
    expect(repeats).toBeGreaterThan(0);
    expect(places).toEqual(
      new Set([
        'before a send',
        'after a send',
        'before a post',
        'after a post',
        'before a batch',
        'after a batch',
      ]),
    );
  }, 600_000);

  test('tells the same as an undisturbed one, over several kills and two services', async () => {
    const logs = fc.array(
      fc.record({
        gapMs: fc.integer({ min: 1, max: 20_000 }),
        service: fc.constantFrom('a', 'b'),
        partition: fc.nat(1),
      }),
      { minLength: 10, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(
        logs,
        fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 4 }),
        async (all, kills) => {
          const told = async (deaths: readonly number[]): Promise<World> => {
            const world = new World();
            const left = [...deaths];
            const survive = async (): Promise<void> => {
              if (!world.alive.dead) return;
              const next = left.shift();
              world.dieAt = next === undefined ? Infinity : world.steps + next;
              await world.launch();
            };
            world.alive.dead = true;
            await survive();
            for (const { gapMs, service, partition } of all) {
              await world.pass(gapMs);
              await survive();
              world.log('boom', service, partition);
            }
            for (let slice = 0; slice < 30; slice += 1) {
              await world.pass(5_000);
              await survive();
            }
            return world;
          };
          const news = ({ received }: World, service: string): string[] => {
            const distinct = new Map<string, string>();
            for (const { id, status, labels } of received) {
              if (labels['service_name'] === service) distinct.set(id, status);
            }
            return [...distinct.values()];
          };
          const [undisturbed, killed] = [await told([]), await told(kills)];
          for (const service of ['a', 'b']) expect(news(killed, service)).toEqual(news(undisturbed, service));
          const counts = new Map<string, number>();
          for (const { id } of killed.received) counts.set(id, (counts.get(id) ?? 0) + 1);
          expect([...counts].filter(([id, count]) => count > 1 && !killed.unknown.has(id))).toEqual([]);
        },
      ),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, 600_000);

  test('is told of what happened while nobody ran', async () => {
    const world = new World();
    await world.launch();
    await world.pass(1_000);
    world.kill();
    [1, 2, 3].forEach((at) => world.log('boom', 'shop', at % 2));
    await world.pass(300_000);
    await world.launch();
    await world.pass(10_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing', 'resolved']);
  });
});

describe('the runtime', () => {
  test('shows rules, alerts and timings through the topic', async () => {
    const world = new World();
    await world.launch();
    for (let count = 0; count < 3; count += 1) world.log('boom');
    await world.pass(2_000);
    const view = alertsView(world.kafka({ dead: false }), world.host({ dead: false }));
    await turns();
    expect(view.isReady()).toBe(true);
    const [group] = view.rules().groups;
    expect(group).toMatchObject({ name: 'g', file: '/rules/a.yaml', interval: 15 });
    expect(group!.rules[0]).toMatchObject({ name: 'Errors', state: 'firing', type: 'alerting' });
    expect(view.alerts().alerts).toEqual([
      {
        labels: { alertname: 'Errors', service_name: 'shop', severity: 'page' },
        annotations: { summary: 'shop has 3', samples: 'boom\nboom\nboom' },
        state: 'firing',
        activeAt: '2023-11-14T22:13:30.000Z',
        value: '3',
      },
    ]);
    const [notification] = view.notifications();
    expect(notification!.timings).toEqual({
      eventMs: START,
      appendMs: START,
      evalMs: START,
      notifyMs: START,
    });
    expect(Object.values(notification!.deliveries)).toEqual([
      { outcome: 'delivered', attempts: 1, atMs: START },
    ]);
    await view.close();
  });

  test('repeats a refused send with the same id, and gives up what the receiver will never want', async () => {
    const world = new World();
    world.answers = [503, 429];
    await world.launch();
    for (let count = 0; count < 3; count += 1) world.log('boom');
    await world.pass(10_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing']);
    world.answers = [400];
    await world.pass(100_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing']);
    const outcomes = [...world.state().notifications.values()].map(
      ({ deliveries }) => Object.values(deliveries)[0],
    );
    expect(outcomes).toMatchObject([
      { outcome: 'delivered', attempts: 3 },
      { outcome: 'rejected', attempts: 1, lastError: 'got status 400, want 2xx' },
    ]);
  });

  test('keeps the rules of a file that turned bad, says so, and takes the repaired one', async () => {
    const world = new World();
    const runtime = await world.launch();
    world.rules.set('/rules/a.yaml', RULES.replace('expr', 'exprr'));
    await world.pass(11_000);
    expect(runtime.engine.rules.size).toBe(1);
    expect([...world.state().files.values()][0]!.problems[0]).toMatchObject({ line: 5, column: 9 });
    world.rules.set('/rules/a.yaml', RULES.replace('> 2', '> 1'));
    await world.pass(11_000);
    expect(world.state().files.size).toBe(0);
    world.log('boom');
    world.log('boom');
    await world.pass(1_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing']);
  });

  test('resolves the alerts of a rule that was removed while it was down', async () => {
    const world = new World();
    const runtime = await world.launch();
    for (let count = 0; count < 3; count += 1) world.log('boom');
    await world.pass(2_000);
    await runtime.stop();
    world.rules.set('/rules/a.yaml', 'groups: []');
    await world.launch();
    await world.pass(2_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing', 'resolved']);
    expect(world.state().alerts.size).toBe(0);
  });

  test('wakes nobody at a first start for what is long over', async () => {
    const world = new World();
    for (let count = 0; count < 3; count += 1) world.log('boom', 'old');
    await world.pass(3_600_000);
    for (let count = 0; count < 3; count += 1) world.log('boom', 'new');
    await world.launch();
    await world.pass(1_000);
    expect(world.received.map(({ labels }) => labels['service_name'])).toEqual(['new']);
  });
});
