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
import { alertsConfig } from '../../sinks/alerts/config.ts';
import type { HttpPost } from '../../sinks/alerts/http-post.ts';
import { Runtime } from '../../sinks/alerts/runtime.ts';
import { applyRecord, emptyState, type StoredState } from '../../sinks/alerts/state.ts';

/** When a world begins, ms since 1970: a multiple of 15 s, the default interval. */
export const START = 1_700_000_010_000;
export const RULES = `groups:
  - name: g
    rules:
      - alert: Errors
        expr: sum by (service_name) (count_over_time({} |= "boom" [1m])) > 2
        labels: {severity: page}
        annotations: {summary: '{{ $labels.service_name }} has {{ $value }}'}
`;

/** Topics, time and a webhook that outlive the process under test; its steps are counted, and one may be its last. */
export class World {
  nowMs = START;
  readonly topics = new Map<string, ConsumedRecord[][]>();
  readonly received: Array<{ id: string; status: string; labels: Record<string, string>; atMs: number }> = [];
  /** All requests that were answered, to whomever. */
  readonly posts: Array<{ url: string; body: unknown; atMs: number }> = [];
  /** Key and value bytes of each send to the topic of the state. */
  readonly sends: number[] = [];
  readonly rules = new Map([['/rules/a.yaml', RULES]]);
  /** Answers of whoever is told, in order; then 200. */
  answers: number[] = [];
  /** Work between two looks at the steady clock, ms. */
  workMs = 0;
  /** How often the process let others have a turn. */
  pauses = 0;
  private worked = 0;
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
        monotonicMs: () => this.nowMs + (this.worked += this.workMs),
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
        soon: (fn) => {
          this.pauses += 1;
          setImmediate(fn);
        },
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
    return async (url, { headers, body }) => {
      await this.step('before a post', life);
      const status = this.answers.shift() ?? 200;
      const said = JSON.parse(body) as { alerts?: Array<{ status: string; labels: Record<string, string> }> };
      this.posts.push({ url, body: said, atMs: this.nowMs });
      const [alert] = said.alerts ?? [];
      if (status < 300 && alert) {
        const id = headers['X-Millrace-Notification-Id'] ?? '';
        this.received.push({ id, status: alert.status, labels: alert.labels, atMs: this.nowMs });
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
            const sizes = records.map(({ key, value }) => (key?.length ?? 0) + (value?.length ?? 0));
            this.sends.push(sizes.reduce((sum, size) => sum + size, 0));
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
          shareOffsets: () => Promise.resolve([]),
          timestampFrom: () => Promise.resolve(undefined),
          topicConfigs: () => Promise.resolve({}),
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

export async function turns(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
