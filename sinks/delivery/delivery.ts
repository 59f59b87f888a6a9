/**
 * Delivery: consumes the OTLP topics and stores every record exactly once. The rules are in `ledger.ts`; this is
 * their owner: it gathers cuts, carries out the effects, and feeds back what came of them.
 *
 * Bounds: at most `inFlightBytesMax` of encoded rows (a batch that was fetched waits at the door beyond), two sealed
 * cuts and one open. Nothing is dropped: an unreachable store holds everything up, and the broker keeps the rest.
 */
import type { Admin, ConsumedBatch, Consumer, Producer, TopicPartition } from '../../broker/client/port.ts';
import type { Cancel, Host } from '../../broker/host/host.ts';
import { ENCODERS, TOPIC_TABLES } from '../clickhouse/encode.ts';
import type { ClickHouse } from '../clickhouse/port.ts';
import type { Source } from '../clickhouse/row-batch.ts';
import { timeRule } from '../clickhouse/row-time.ts';
import { boundsOf, olderInserts } from './look.ts';
import { type Effect, emptyLedger, type Event, isSettled, type PartitionKey, step } from './ledger.ts';
import { createMeter } from './meter.ts';
import { OpenCut } from './open-cut.ts';
import { type PartWork, storePart } from './store-part.ts';
import { createTrouble } from './trouble.ts';

export interface DeliveryOptions {
  readonly host: Host;
  readonly admin: Admin;
  readonly producer: Producer;
  readonly clickhouse: ClickHouse;
  readonly database: string;
  readonly batch: { readonly rowsMax: number; readonly bytesMax: number; readonly lingerMs: number };
  readonly inFlightBytesMax: number;
  readonly retentionDays: number;
}

/** To be plugged into a consumer; `attach` gives it that consumer. */
export interface Delivery {
  attach(consumer: Consumer): void;
  onAssigned(assigned: readonly TopicPartition[]): Promise<void>;
  onRevoked(revoked: readonly TopicPartition[]): Promise<void>;
  onBatch(batch: ConsumedBatch): Promise<void>;
  /** From now on a revocation waits at most so long for what is in hand. */
  stopWithin(drainMs: number): void;
}

interface Tracked {
  readonly topic: string;
  readonly partition: number;
  source: Source;
  /** The next offset to come; below it records were handed over already. */
  next: number;
  ahead: number;
}

/** A stopped owner may not hold up the group's rebalance: its deadline is longer. */
const DRAIN_MS = 20_000;
/** Cuts that are sealed and not committed: one is stored while the next is made ready. */
const SEALED_MAX = 2;
/** Inserts of an owner that is gone end by themselves within this time, or are ended. */
const OLDER_INSERTS_GRACE_MS = 3_000;

export function createDelivery(options: DeliveryOptions): Delivery {
  const { host, clickhouse, database } = options;
  const meter = createMeter(host.metrics);
  const trouble = createTrouble(host.log, meter);
  const tracked = new Map<PartitionKey, Tracked>();
  const work = new Map<number, PartWork>();
  const bytesOf = new Map<number, number>();
  /** Inserts of earlier generations that have not come back: a new one looks only after them. */
  const unfinished = new Set<Promise<unknown>>();
  let consumer: Consumer | undefined;
  let ledger = emptyLedger;
  let open = new OpenCut();
  /** The open cut has waited for company long enough. */
  let lingered = false;
  let assignedAtMs = 0;
  let olderEnded = false;
  let draining = false;
  let drainMs = DRAIN_MS;
  let ids = 0;
  let cancelWake: Cancel = () => undefined;
  let cancelLinger: Cancel = () => undefined;
  let waiters: Array<() => void> = [];

  host.metrics.onCollect(() => {
    meter.inFlight.set(inFlightBytes());
    const ahead = new Map<string, number>();
    for (const one of tracked.values()) ahead.set(one.topic, (ahead.get(one.topic) ?? 0) + one.ahead);
    meter.lag.reset();
    for (const [topic, records] of ahead) meter.lag.set(records, { topic });
  });

  function inFlightBytes(): number {
    let bytes = open.bytes();
    for (const sealed of bytesOf.values()) bytes += sealed;
    return bytes;
  }

  function feed(event: Event): void {
    const result = step(ledger, event, host.clock.monotonicMs());
    ledger = result.ledger;
    for (const effect of result.effects) carryOut(effect);
    seal();
    const waiting = waiters;
    waiters = [];
    for (const wake of waiting) wake();
  }

  function carryOut(effect: Effect): void {
    const { generation } = ledger;
    /** Only while nothing was lost in between: what an earlier generation began must not count for this one. */
    const report = (event: Event): void => {
      if (ledger.generation === generation) feed(event);
    };
    switch (effect.type) {
      case 'wake':
        cancelWake();
        cancelWake = host.timers.after(Math.max(1, effect.atMs - host.clock.monotonicMs()), () =>
          report({ type: 'woken' }),
        );
        return;
      case 'release':
        for (const cut of effect.cuts) bytesOf.delete(cut);
        return;
      case 'look':
        void look(effect.from).then(
          (bounds) => {
            trouble.over('look');
            report({ type: 'looked', bounds });
          },
          (error: unknown) => {
            trouble.met('look', error);
            report({ type: 'look-failed' });
          },
        );
        return;
      case 'store':
        store(effect.part, effect.inDoubt, report);
        return;
      case 'commit':
        void commit(effect.offsets, generation).then(
          () => {
            trouble.over('commit');
            report({ type: 'committed' });
          },
          (error: unknown) => {
            trouble.met('commit', error);
            report({ type: 'commit-failed' });
          },
        );
    }
  }

  function store(part: number, inDoubt: boolean, report: (event: Event) => void): void {
    const one = work.get(part)!;
    const doing = one.type === 'rows' ? `insert into ${one.batch.table}` : 'send dead letters';
    const done = storePart(one, inDoubt, { ...options, meter }).then(
      (outcome) => {
        trouble.over(doing);
        work.delete(part);
        if (outcome.length === 0) return report({ type: 'stored', part });
        const by = outcome.map((smaller) => newWork(smaller));
        report({ type: 'replaced', part, by });
      },
      (error: unknown) => {
        trouble.met(doing, error);
        report({ type: 'store-failed', part });
      },
    );
    unfinished.add(done);
    void done.finally(() => unfinished.delete(done));
  }

  function newWork(one: PartWork): number {
    ids += 1;
    work.set(ids, one);
    return ids;
  }

  async function look(from: ReadonlyMap<PartitionKey, number>): Promise<Map<PartitionKey, number>> {
    await endOlderInserts();
    const byTopic = new Map<string, PartitionKey[]>();
    for (const key of from.keys()) {
      const { topic } = tracked.get(key)!;
      byTopic.set(topic, [...(byTopic.get(topic) ?? []), key]);
    }
    const bounds = new Map<PartitionKey, number>();
    for (const [topic, keys] of byTopic) {
      const sources = keys.map((key) => tracked.get(key)!.source);
      const lowest = Math.min(...keys.map((key) => from.get(key)!));
      const found = await boundsOf(clickhouse, database, TOPIC_TABLES.get(topic)!, sources, lowest);
      for (const [place, key] of keys.entries()) bounds.set(key, found.get(sources[place]!.partition) ?? 0);
    }
    return bounds;
  }

  /**
   * What stands in for the fence: inserts that were running when the partitions came to us are awaited, then ended,
   * before the first look. An owner that is cut off and begins a new insert after that is what a fence would stop.
   */
  async function endOlderInserts(): Promise<void> {
    if (olderEnded) return;
    await Promise.allSettled(unfinished);
    const forMs = (): number => host.clock.monotonicMs() - assignedAtMs;
    const running = await olderInserts(clickhouse, forMs(), forMs() > OLDER_INSERTS_GRACE_MS);
    if (running > 0)
      throw new Error(`cannot look yet: got ${running} older inserts still running, want none`);
    olderEnded = true;
  }

  async function commit(offsets: ReadonlyMap<PartitionKey, number>, generation: number): Promise<void> {
    if (!consumer || ledger.generation !== generation) return;
    const positions = [...offsets].map(([key, offset]) => {
      const { topic, partition } = tracked.get(key)!;
      return { topic, partition, offset };
    });
    await consumer.commit(positions);
  }

  /** Closes the open cut when it is due and there is room for it. */
  function seal(): void {
    if (open.ranges.size === 0 || ledger.cuts.length >= SEALED_MAX) return;
    const bytes = open.bytes();
    const { rowsMax, bytesMax } = options.batch;
    if (!lingered && !draining && open.batches.rows() < rowsMax && bytes < bytesMax) return;
    cancelLinger();
    const cut = open;
    open = new OpenCut();
    meter.expired.add(cut.counts.expired);
    meter.redated.add(cut.counts.redated);
    const { sources } = cut.batches;
    const parts = cut.batches.all
      .filter(({ rows }) => rows > 0)
      .map((batch) => newWork({ type: 'rows', batch, sources, from: 0, to: batch.rows }));
    if (cut.deadLetters.length > 0) {
      parts.push(newWork({ type: 'dead-letters', reason: 'malformed', records: cut.deadLetters }));
    }
    ids += 1;
    bytesOf.set(ids, bytes);
    feed({ type: 'sealed', cut: ids, ranges: cut.ranges, parts });
  }

  function startLinger(): void {
    lingered = false;
    cancelLinger();
    // A timer may fire a little before the clock says so: what counts is that it has fired.
    cancelLinger = host.timers.after(options.batch.lingerMs, () => {
      lingered = true;
      seal();
    });
  }

  function forget(type: 'assigned' | 'revoked'): void {
    cancelWake();
    cancelLinger();
    open = new OpenCut();
    work.clear();
    bytesOf.clear();
    tracked.clear();
    draining = false;
    feed({ type });
  }

  async function settled(deadlineMs: number): Promise<void> {
    let overdue = false;
    const cancel = host.timers.after(deadlineMs, () => {
      overdue = true;
      feed({ type: 'woken' });
    });
    while (!(isSettled(ledger) && open.ranges.size === 0) && !overdue) {
      await new Promise<void>((wake) => void waiters.push(wake));
    }
    cancel();
  }

  async function origin(topic: string): Promise<string> {
    const { clusterId, topicId } = await options.admin.origin(topic);
    return `${clusterId}/${topicId}`;
  }

  /** Offsets went back: the topic was made anew, or the client repeats itself. */
  async function checkOrigin(one: Tracked, batch: ConsumedBatch): Promise<void> {
    const now = await origin(one.topic);
    if (now === one.source.origin) return;
    await settled(DRAIN_MS);
    if (!isSettled(ledger))
      throw new Error(`cannot begin the new topic ${one.topic}: the old one is not stored yet`);
    host.log.warn(
      { topic: one.topic, partition: one.partition },
      'the topic was made anew: its offsets begin again',
    );
    one.source = { ...one.source, origin: now };
    one.next = batch.records[0]!.offset;
    const bounds = new Map(ledger.bounds);
    bounds.delete(keyOf(one));
    ledger = { ...ledger, bounds };
  }

  return {
    attach(made) {
      consumer = made;
    },
    async onAssigned(assigned) {
      const origins = new Map<string, string>();
      for (const { topic } of assigned) if (!origins.has(topic)) origins.set(topic, await origin(topic));
      forget('assigned');
      assignedAtMs = host.clock.monotonicMs();
      olderEnded = false;
      for (const { topic, partition } of assigned) {
        const source = { origin: origins.get(topic)!, topic, partition };
        tracked.set(keyOf({ topic, partition }), { topic, partition, source, next: 0, ahead: 0 });
      }
      host.log.info({ partitions: assigned.length }, 'took over partitions');
    },
    async onRevoked() {
      draining = true;
      seal();
      await settled(drainMs);
      const left = ledger.cuts.length;
      if (left > 0)
        host.log.warn({ cuts: left }, 'gave up partitions with rows in doubt: the next owner looks');
      forget('revoked');
    },
    async onBatch(batch) {
      const { generation } = ledger;
      const key = keyOf(batch);
      while (inFlightBytes() >= options.inFlightBytesMax && ledger.generation === generation) {
        await new Promise<void>((wake) => void waiters.push(wake));
      }
      const one = tracked.get(key);
      if (ledger.generation !== generation || !one) return;
      if (batch.records.at(-1)!.offset < one.next) await checkOrigin(one, batch);
      if (ledger.generation !== generation) return;
      const wasEmpty = open.ranges.size === 0;
      const before = one.next;
      const rule = timeRule(host.clock.nowMs(), options.retentionDays);
      one.next = open.add(key, one.source, batch, one.next, ENCODERS.get(batch.topic)!, rule);
      one.ahead = Math.max(0, batch.highWatermark - one.next);
      const repeated = batch.records.filter(({ offset }) => offset < before).length;
      meter.repeated.add(repeated);
      meter.consumedRecords.add(batch.records.length - repeated, { topic: batch.topic });
      if (wasEmpty && open.ranges.size > 0) startLinger();
      seal();
    },
    stopWithin(ms) {
      drainMs = ms;
    },
  };
}

function keyOf({ topic, partition }: TopicPartition): PartitionKey {
  return `${topic}/${partition}`;
}
