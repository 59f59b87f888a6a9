import type { LogRecord } from '../../broker/records/otlp/model.ts';
import { timestampNsOf } from '../logql/labels.ts';
import { type Event, type Instance, type Phase, step } from './instance.ts';
import { type Labels, labelsKey, newLabels } from './labels.ts';
import { type Plan, planExpression } from './plan.ts';
import type { Rule } from './rule.ts';
import { caughtUp, observe, type PartitionTime, UNREAD, type WatermarkLimits } from './watermark.ts';
import type { StoredWindow, Window, WindowLimits } from './window.ts';

/**
 * Rules over a stream of records: no clock, no I/O. The same code judges production's records and those of a
 * rule test.
 *
 * A rule is judged at the multiples of its interval, in order, as soon as the watermark of all partitions has
 * passed one: then its window is complete. A condition that more records cannot undo fires before that, on the
 * record that fulfils it: what would have fired at the next evaluation fires, only sooner.
 */
export interface EngineOptions extends WatermarkLimits, WindowLimits {
  readonly externalUrl: string;
}

export const ENGINE_DEFAULTS: EngineOptions = {
  allowedLatenessMs: 3_000,
  watermarkLagMaxMs: 15_000,
  idleTimeoutMs: 3_000,
  // Together with 100,000 buckets a rule's state stays below the 900 kB of a Kafka record, compressed.
  seriesMax: 1_000,
  bucketsMax: 100_000,
  samplesMax: 5,
  externalUrl: '',
};

const NO_HOLDING = { forMs: 0, keepFiringForMs: 0 };

/** An event time further ahead than this is a wrong clock: such a record counts at its append time. */
const AHEAD_MAX_MS = 60_000;

export interface AlertState {
  readonly rule: Pick<Rule, 'id' | 'name' | 'intervalMs'>;
  readonly key: string;
  /** Of the series: without the rule's own labels. */
  readonly seriesLabels: Labels;
  readonly instance: Instance;
  readonly labels: Labels;
  readonly annotations: Labels;
}

export interface Transition {
  readonly alert: AlertState;
  readonly from: Phase;
  readonly to: Phase;
  readonly why: string;
  /** Event time of the judgement. */
  readonly atMs: number;
  /** Of the record that decided it, where one did. */
  readonly eventMs?: number;
  readonly appendMs?: number;
}

export interface RuleState {
  readonly rule: Rule;
  readonly plan: Plan;
  readonly alerts: Map<string, AlertState>;
  /** The next evaluation; undefined until a watermark is known. */
  nextTickMs: number | undefined;
  /** Before that: the first evaluation that a record which was counted belongs to. */
  firstTickMs: number;
  /** Offsets below these are in the windows already: next to read, by partition. */
  readonly from: Map<number, number>;
  /** Windows that reach further back have not seen all: conditions that more records can undo wait. */
  completeFromMs: number;
  health: 'ok' | 'err' | 'unknown';
  lastError: string;
  lastEvaluationMs: number;
  /** Rises with every change, so that the owner knows what to store. */
  version: number;
}

export interface EngineCounts {
  records: number;
  evaluations: number;
  failures: number;
  early: number;
  late: number;
  lateDropped: number;
  ahead: number;
  refusedSeries: number;
}

export class Engine {
  readonly rules = new Map<string, RuleState>();
  readonly partitions = new Map<number, PartitionTime>();
  /** Next offset to read, by partition. */
  readonly position = new Map<number, number>();
  readonly counts: EngineCounts = {
    records: 0,
    evaluations: 0,
    failures: 0,
    early: 0,
    late: 0,
    lateDropped: 0,
    ahead: 0,
    refusedSeries: 0,
  };
  private transitions: Transition[] = [];
  private readonly options: EngineOptions;

  constructor(options: EngineOptions) {
    this.options = options;
  }

  /**
   * Replaces the rules. One that stays keeps its windows and alerts; the alerts of one that goes resolve.
   * `completeFromMs`: from when on new rules see every record.
   */
  setRules(rules: readonly Rule[], completeFromMs: number): void {
    const ids = new Set(rules.map(({ id }) => id));
    const atMs = Number.isFinite(this.watermarkMs()) ? this.watermarkMs() : 0;
    for (const [id, state] of this.rules) {
      if (ids.has(id)) continue;
      for (const key of state.alerts.keys()) {
        this.apply(state, key, { type: 'removed', atMs: Math.max(atMs, state.lastEvaluationMs) });
      }
      this.rules.delete(id);
    }
    for (const rule of rules) {
      const before = this.rules.get(rule.id);
      if (before) {
        this.rules.set(rule.id, { ...before, rule, version: before.version + 1 });
      } else {
        this.rules.set(rule.id, newRuleState(rule, completeFromMs, this.position));
      }
    }
  }

  /** Takes over what was stored of a rule. */
  restore(id: string, stored: StoredRule): void {
    const state = this.rules.get(id);
    if (!state) return;
    const { windows } = state.plan;
    const fits = stored.windows.length === windows.length;
    stored.windows.forEach((window, index) => fits && windows[index]!.restore(window));
    state.nextTickMs = stored.nextTickMs ?? undefined;
    state.completeFromMs = stored.completeFromMs;
    state.health = stored.health;
    state.lastError = stored.lastError;
    state.lastEvaluationMs = stored.lastEvaluationMs;
    state.from.clear();
    for (const [partition, offset] of stored.from) state.from.set(partition, offset);
  }

  snapshot(state: RuleState): StoredRule {
    return {
      windows: state.plan.windows.map((window) => window.snapshot()),
      nextTickMs: state.nextTickMs ?? (Number.isFinite(state.firstTickMs) ? state.firstTickMs : null),
      completeFromMs: state.completeFromMs,
      health: state.health,
      lastError: state.lastError,
      lastEvaluationMs: state.lastEvaluationMs,
      from: [...this.position],
    };
  }

  /** The partitions whose watermarks count: all of the topic. */
  assign(partitions: readonly number[]): void {
    for (const partition of this.partitions.keys()) {
      if (!partitions.includes(partition)) this.partitions.delete(partition);
    }
    for (const partition of partitions) {
      if (!this.partitions.has(partition)) this.partitions.set(partition, UNREAD);
    }
  }

  /** One Kafka record: its log records enter the windows. One that was seen before is stepped over. */
  consume(partition: number, offset: number, appendMs: number, logs: readonly LogRecord[]): void {
    if (offset < (this.position.get(partition) ?? 0)) return;
    this.position.set(partition, offset + 1);
    let eventMaxMs = -Infinity;
    for (const log of logs) {
      const eventMs = this.eventTime(log, appendMs);
      eventMaxMs = Math.max(eventMaxMs, eventMs);
      this.counts.records += 1;
      for (const state of this.rules.values()) {
        if (offset >= (state.from.get(partition) ?? 0)) this.count(state, log, eventMs, appendMs);
      }
    }
    const time = this.partitions.get(partition) ?? UNREAD;
    const event = eventMaxMs === -Infinity ? appendMs : eventMaxMs;
    this.partitions.set(partition, observe(time, event, appendMs, this.options));
  }

  /** A look at the partition's end, begun at `atMs`, found nothing unread. */
  caughtUp(partition: number, atMs: number): void {
    const time = this.partitions.get(partition);
    if (time) this.partitions.set(partition, caughtUp(time, atMs, this.options));
  }

  /** Event time up to which all partitions are complete; -Infinity while one of them was never read. */
  watermarkMs(): number {
    if (this.partitions.size === 0) return -Infinity;
    return Math.min(...[...this.partitions.values()].map(({ watermarkMs }) => watermarkMs));
  }

  /** Judges every rule at the evaluations that the watermark has passed. */
  advance(watermarkMs: number = this.watermarkMs()): void {
    if (!Number.isFinite(watermarkMs)) return;
    for (const state of this.rules.values()) this.advanceRule(state, watermarkMs);
  }

  takeTransitions(): Transition[] {
    const taken = this.transitions;
    this.transitions = [];
    return taken;
  }

  /** An alert from an earlier run whose rule is no longer there. */
  resolveOrphan(alert: AlertState, atMs: number): void {
    const { instance, transition } = step(alert.instance, { type: 'removed', atMs }, NO_HOLDING);
    if (instance && transition) this.transitions.push({ alert: { ...alert, instance }, ...transition, atMs });
  }

  /** Forgets alerts that ended at or before `atMs`; returns them. */
  forgetResolved(atMs: number): AlertState[] {
    const forgotten: AlertState[] = [];
    for (const state of this.rules.values()) {
      for (const [key, alert] of state.alerts) {
        if (alert.instance.phase === 'resolved' && (alert.instance.endsAtMs ?? 0) <= atMs) {
          state.alerts.delete(key);
          forgotten.push(alert);
        }
      }
    }
    return forgotten;
  }

  private eventTime(log: LogRecord, appendMs: number): number {
    const ns = timestampNsOf(log);
    if (ns === 0n) return appendMs;
    // Rounded up, so that a record stays right of the exclusive start and left of the inclusive end of a window.
    const eventMs = Number((ns + 999_999n) / 1_000_000n);
    if (eventMs <= appendMs + AHEAD_MAX_MS) return eventMs;
    this.counts.ahead += 1;
    return appendMs;
  }

  private count(state: RuleState, log: LogRecord, eventMs: number, appendMs: number): void {
    const { plan, rule } = state;
    // A watermark may be known before the first evaluation is: the record's own is early enough.
    const ownTickMs = Math.ceil(eventMs / rule.intervalMs) * rule.intervalMs;
    const openMs = Math.max(ownTickMs, state.nextTickMs ?? 0);
    for (const window of plan.windows) {
      const labels = window.match(log);
      if (!labels) continue;
      state.version += 1;
      state.firstTickMs = Math.min(state.firstTickMs, ownTickMs);
      if (openMs > ownTickMs) this.counts.late += 1;
      if (openMs - window.rangeMs >= eventMs) {
        this.counts.lateDropped += 1;
        continue;
      }
      const key = labelsKey(labels);
      if (!window.add(key, labels, log, eventMs, this.options)) {
        this.refuse(state, window);
        continue;
      }
      if (plan.early && rule.forMs === 0) this.judgeEarly(state, window, key, openMs, eventMs, appendMs);
    }
  }

  private refuse(state: RuleState, window: Window): void {
    this.counts.refusedSeries += 1;
    state.health = 'err';
    state.lastError =
      `cannot count a record: got ${window.series.size} series with ${window.bucketCount} buckets, ` +
      `want at most ${this.options.seriesMax} and ${this.options.bucketsMax}`;
  }

  private judgeEarly(
    state: RuleState,
    window: Window,
    key: string,
    openMs: number,
    eventMs: number,
    appendMs: number,
  ): void {
    const before = state.alerts.get(key)?.instance;
    // Fast path: what is known to hold until that evaluation needs no second look.
    if (before?.phase === 'firing' && before.certain?.some(({ tickMs }) => tickMs === openMs)) return;
    const series = window.series.get(key)!;
    const sum = window.valueAt(series, openMs);
    const value = sum === undefined ? undefined : state.plan.early!.holds(sum);
    if (value === undefined) return;
    const atMs = Math.max(eventMs, state.lastEvaluationMs);
    const fires = before?.phase !== 'firing';
    if (fires && !this.hasRoom(state, key)) return;
    if (fires) this.counts.early += 1;
    const event: Event = { type: 'certain', tickMs: openMs, atMs, value };
    this.apply(state, key, event, series.labels, { eventMs, appendMs });
  }

  private advanceRule(state: RuleState, watermarkMs: number): void {
    const { intervalMs } = state.rule;
    const newestMs = Math.floor(watermarkMs / intervalMs) * intervalMs;
    let atMs = state.nextTickMs ?? Math.min(newestMs, state.firstTickMs);
    for (; atMs <= watermarkMs; atMs += intervalMs) {
      state.nextTickMs = atMs + intervalMs;
      this.evaluate(state, atMs);
      if (state.alerts.size === 0 && state.plan.windows.every((window) => window.series.size === 0)) {
        // Nothing to judge: a rule that slept for days does not count its way through them.
        atMs = newestMs;
        state.nextTickMs = atMs + intervalMs;
        state.lastEvaluationMs = atMs;
      }
    }
  }

  private evaluate(state: RuleState, atMs: number): void {
    const { plan } = state;
    state.lastEvaluationMs = atMs;
    state.version += 1;
    this.counts.evaluations += 1;
    const reach = Math.max(0, ...plan.windows.map((window) => window.rangeMs));
    if (!plan.early && atMs - reach < state.completeFromMs) {
      // `pending-data`: half a window is no ground to judge a ratio or a shortfall on.
      return;
    }
    state.health = 'ok';
    state.lastError = '';
    const result = plan.evaluate(atMs);
    for (const [key, { labels, value }] of result) {
      if (this.hasRoom(state, key)) this.apply(state, key, { type: 'holds', atMs, value }, labels);
    }
    for (const key of state.alerts.keys()) {
      if (!result.has(key)) this.clear(state, key, atMs);
    }
    for (const window of plan.windows) window.prune(atMs + state.rule.intervalMs);
    if (state.health !== 'ok') this.counts.failures += 1;
  }

  /** An alert that resolves here but is known to hold at a later judgement fires anew at once. */
  private clear(state: RuleState, key: string, atMs: number): void {
    this.apply(state, key, { type: 'clears', atMs });
    const { phase, certain = [] } = state.alerts.get(key)?.instance ?? {};
    if (phase !== 'resolved') return;
    for (const one of certain) {
      this.apply(state, key, { type: 'certain', ...one, atMs: Math.max(one.atMs, atMs) });
    }
  }

  private hasRoom(state: RuleState, key: string): boolean {
    if (state.alerts.has(key) || state.alerts.size < state.rule.limit) return true;
    state.health = 'err';
    state.lastError = `cannot add an alert: got ${state.alerts.size}, want at most ${state.rule.limit} (limit)`;
    return false;
  }

  private apply(
    state: RuleState,
    key: string,
    event: Event,
    labels?: Labels,
    record?: { eventMs: number; appendMs: number },
  ): void {
    const before = state.alerts.get(key);
    const { instance, transition } = step(before?.instance, event, state.rule);
    if (!instance) state.alerts.delete(key);
    let alert = before;
    if (instance) {
      if (instance === before?.instance) return;
      const seriesLabels = before?.seriesLabels ?? labels ?? newLabels();
      const texts = this.textsOf(state, key, seriesLabels, instance, before);
      alert = { rule: state.rule, key, seriesLabels, instance, ...texts };
      state.alerts.set(key, alert);
    }
    state.version += 1;
    if (transition && alert) this.transitions.push({ alert, ...transition, atMs: event.atMs, ...record });
  }

  /** Templates see the value of the time; what a resolved alert says is what it last said. */
  private textsOf(
    state: RuleState,
    key: string,
    seriesLabels: Labels,
    instance: Instance,
    before: AlertState | undefined,
  ): { labels: Labels; annotations: Labels } {
    if (instance.phase === 'resolved' && before)
      return { labels: before.labels, annotations: before.annotations };
    const data = { labels: seriesLabels, value: instance.value, externalUrl: this.options.externalUrl };
    const { templates, name } = state.rule;
    // An alert keeps the labels it began with: they are its identity for everyone who was told.
    const keeps = before && before.instance.phase !== 'resolved';
    const labels = keeps
      ? before.labels
      : newLabels([
          ...Object.entries(seriesLabels),
          ...[...templates.labels].map(([label, render]) => [label, render(data)] as const),
          ['alertname', name],
        ]);
    const annotations = newLabels(
      [...templates.annotations].map(([label, render]) => [label, render(data)] as const),
    );
    const samples = state.plan.windows[0]?.series.get(key)?.samples ?? [];
    if (samples.length > 0 && !('samples' in annotations)) annotations['samples'] = samples.join('\n');
    else if (samples.length === 0 && before?.annotations['samples']) {
      annotations['samples'] = before.annotations['samples'];
    }
    return { labels, annotations };
  }
}

/** A rule as stored: JSON. */
export interface StoredRule {
  readonly windows: readonly StoredWindow[];
  readonly nextTickMs: number | null;
  readonly completeFromMs: number;
  readonly health: RuleState['health'];
  readonly lastError: string;
  readonly lastEvaluationMs: number;
  readonly from: ReadonlyArray<readonly [partition: number, offset: number]>;
}

function newRuleState(rule: Rule, completeFromMs: number, position: ReadonlyMap<number, number>): RuleState {
  return {
    rule,
    plan: planExpression(rule.tree, rule.intervalMs),
    alerts: new Map(),
    nextTickMs: undefined,
    firstTickMs: Infinity,
    from: new Map(position),
    completeFromMs,
    health: 'unknown',
    lastError: '',
    lastEvaluationMs: 0,
    version: 1,
  };
}
