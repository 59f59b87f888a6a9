import type {
  Admin,
  ConsumedBatch,
  Consumer,
  KafkaClient,
  Producer,
  ProduceRecord,
  TopicPartition,
} from '../../broker/client/port.ts';
import type { Cancel, Host } from '../../broker/host/host.ts';
import { RECORD_BYTES_MAX } from '../../broker/records/headers.ts';
import { readLogs } from '../../broker/records/otlp/read-logs.ts';
import { ALERTS_TOPIC, SIGNAL_TOPICS, TOPIC_PLANS } from '../../broker/records/topics.ts';
import type { AlertsConfig } from './config.ts';
import { DELIVERY_DEFAULTS, DeliveryQueue } from './delivery.ts';
import { Engine, ENGINE_DEFAULTS, type Transition } from './engine.ts';
import { fetchPost, type HttpPost } from './http-post.ts';
import { formatLabels } from './labels.ts';
import { type AlertMetrics, createAlertMetrics } from './metrics.ts';
import { type Delivery, isWaiting, type Notification, notificationOf, withDelivery } from './notification.ts';
import { createNotifiers, RESEND_INTERVAL_MS } from './notifiers.ts';
import { alertsToResend, resend } from './resend.ts';
import { formatProblem } from './rule.ts';
import { messageOf } from './rule-file.ts';
import { type LoadedFile, loadRuleFiles } from './rule-files.ts';
import { applyRecord, emptyState, type StoredState } from './state.ts';
import { stateEntries, storedKeys } from './state-entries.ts';
import { StateWriter } from './state-writer.ts';

const INPUT = SIGNAL_TOPICS.logs;
/** A first start reads what the topic holds, but wakes nobody for what is older than this. */
const FIRST_START_REACH_MS = 15 * 60_000;
/** Resolved alerts stay in sight for so long. */
const RESOLVED_KEPT_MS = 15 * 60_000;
/** Notifications that are kept to be shown; more than this many waiting are given up, oldest first. */
const NOTIFICATIONS_KEPT = 100;
const NOTIFICATIONS_WAITING_MAX = 1_000;
/** For sends in flight at a stop: well below the 10 s that a whole system has for it. */
const SEND_GRACE_MS = 2_000;
/**
 * A batch that takes longer is left for a moment: heartbeats, sends and timers have their turn, and what fired is
 * told. One record, of 900 kB at most, is the smallest piece.
 */
const SLICE_MS = 20;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;

/**
 * The engine on the stream: reads records, judges, stores, and only then tells.
 *
 * Order, which recovery relies on: a transition and the intent to notify are durable, together with the input
 * offsets they reflect, before the first send; the outcome of a send is stored after it. A crash between the two
 * repeats the send under the same id.
 */
export class Runtime {
  readonly engine: Engine;
  private readonly config: AlertsConfig;
  private readonly host: Host;
  private readonly kafka: KafkaClient;
  private readonly post: HttpPost;
  private readonly metrics: AlertMetrics;
  private readonly writer = new StateWriter();
  private readonly queues: DeliveryQueue[];
  private readonly stopping = new AbortController();
  private readonly timers: Cancel[] = [];
  /** In order of their judgement. */
  private readonly notifications = new Map<string, Notification>();
  /**
   * Notifications of the run before, kept until everything is read once: where only some of the state was stored,
   * reading again comes to the same news, and must find that it was told.
   */
  private readonly recovered = new Set<string>();
  private files = new Map<string, LoadedFile>();
  private producer: Producer | undefined;
  private admin: Admin | undefined;
  private consumer: Consumer | undefined;
  private origin = '';
  private notifyFromMs = -Infinity;
  private pastIsTold = false;
  private lastCheckpointMs = -Infinity;
  private writing: Promise<void> | undefined;
  private queued: Promise<void> | undefined;
  private probing = false;
  private isDirty = false;
  private isTakenOver = false;
  private unsent: Notification[] = [];

  constructor(config: AlertsConfig, host: Host, kafka: KafkaClient, post: HttpPost = fetchPost) {
    this.config = config;
    this.host = host;
    this.kafka = kafka;
    this.post = post;
    this.metrics = createAlertMetrics(host);
    this.engine = new Engine({
      ...ENGINE_DEFAULTS,
      allowedLatenessMs: config.allowedLatenessMs,
      watermarkLagMaxMs: config.watermarkLagMaxMs,
      idleTimeoutMs: config.idleTimeoutMs,
      seriesMax: config.seriesMax,
      samplesMax: config.samplesMax,
      externalUrl: config.externalUrl,
    });
    this.queues = createNotifiers(config).map(
      (notifier) =>
        new DeliveryQueue(notifier, post, host, DELIVERY_DEFAULTS, (id, target, delivery) =>
          this.onOutcome(id, target, delivery),
        ),
    );
    host.metrics.onCollect(() => this.collect());
  }

  /** Reads rules and state, then follows the stream until `stop`. A broker that is away is waited for. */
  async run(): Promise<void> {
    const { signal } = this.stopping;
    this.files = await this.readFiles();
    const state = await this.untilDone('read the state of the alerts', () => this.recover());
    if (!state || signal.aborted) return;
    this.takeOver(state);
    this.isTakenOver = true;
    await this.store();
    for (const notification of this.notifications.values()) this.send(notification);
    const { timers } = this.host;
    this.timers.push(
      timers.every(this.config.probeIntervalMs, () => void this.probe()),
      timers.every(this.config.reloadIntervalMs, () => void this.reload()),
      timers.every(RESEND_INTERVAL_MS, () => void this.resend()),
    );
    this.consumer = await this.kafka.consumer({
      groupId: this.config.groupId,
      topics: [INPUT],
      onAssigned: (assigned) => this.onAssigned(assigned),
      onBatch: (batch) => this.onBatch(batch),
    });
  }

  /** Stores what is known and stops; what is not sent within the grace is left to the next start. */
  async stop(): Promise<void> {
    if (this.stopping.signal.aborted) return;
    this.stopping.abort();
    for (const cancel of this.timers) cancel();
    await Promise.all([this.consumer?.close(), ...this.queues.map((queue) => queue.stop(SEND_GRACE_MS))]);
    this.noteTransitions();
    await this.writing;
    // One last attempt without retries: the broker may be on its way out too.
    if (this.isTakenOver) await this.write().catch(() => undefined);
    await this.kafka.close();
  }

  /** Reads the rule files again; what is bad keeps its old rules and says so. */
  async reload(): Promise<void> {
    const before = this.files;
    const files = await this.readFiles();
    const changed =
      files.size !== before.size || [...files].some(([name, file]) => before.get(name) !== file);
    if (!changed || this.stopping.signal.aborted) return;
    this.files = files;
    this.applyRules();
    await this.settle();
    await this.store();
  }

  private async readFiles(): Promise<Map<string, LoadedFile>> {
    const files = await loadRuleFiles(this.host.files, this.config.rules, this.files, this.config.intervalMs);
    for (const [name, file] of files) {
      const known = this.files.get(name)?.problems.map(formatProblem) ?? [];
      for (const problem of file.problems.map(formatProblem)) {
        if (!known.includes(problem)) this.host.log.error({ file: name }, problem);
      }
    }
    return files;
  }

  private applyRules(): void {
    const rules = [...this.files.values()].flatMap((file) => [...file.rules]);
    const seen = [...this.engine.partitions.values()].map(({ readUntilMs }) => readUntilMs);
    // A rule that is new on a running stream has not seen what came before.
    const completeFromMs = this.engine.position.size === 0 ? -Infinity : Math.max(-Infinity, ...seen);
    this.engine.setRules(rules, completeFromMs);
    this.isDirty = true;
    this.host.log.info({ rules: rules.length, files: this.files.size }, 'alert rules loaded');
  }

  private async recover(): Promise<StoredState> {
    this.admin ??= await this.kafka.admin();
    await this.admin.ensureTopics(TOPIC_PLANS.filter(({ name }) => name === INPUT || name === ALERTS_TOPIC));
    this.producer ??= await this.kafka.producer();
    const { clusterId, topicId } = await this.admin.origin(INPUT);
    const state = await readState(this.kafka, this.stopping.signal);
    this.origin = `${clusterId}/${topicId}`;
    const position = state.position;
    if (position && position.origin !== this.origin) {
      this.host.log.warn(
        { was: position.origin, is: this.origin },
        'the input topic is another one than before: counting starts anew',
      );
      state.position = { ...position, origin: this.origin, offsets: [], times: [] };
      state.windows.clear();
    }
    const ends = new Map((await this.admin.offsets(INPUT)).map((one) => [one.partition, one]));
    this.engine.assign([...ends.keys()]);
    for (const [partition, offset] of state.position?.offsets ?? []) {
      const { start = 0, end = 0 } = ends.get(partition) ?? {};
      if (offset < start) this.metrics.missed.add(start - offset);
      this.engine.position.set(partition, Math.min(Math.max(offset, start), end));
    }
    return state;
  }

  /** Puts the stored state in force. */
  private takeOver(state: StoredState): void {
    const { engine } = this;
    this.writer.remember(storedKeys(state));
    this.notifyFromMs = state.position?.notifyFromMs ?? this.host.clock.nowMs() - FIRST_START_REACH_MS;
    for (const [partition, time] of state.position?.times ?? []) engine.partitions.set(partition, time);
    this.applyRules();
    for (const [id, stored] of state.windows) engine.restore(id, stored);
    for (const alert of state.alerts.values()) {
      const ruleState = engine.rules.get(alert.ruleId);
      if (ruleState) {
        ruleState.alerts.set(alert.key, { ...alert, rule: ruleState.rule });
      } else {
        const { name = '', intervalMs = this.config.intervalMs } = state.rules.get(alert.ruleId) ?? {};
        const rule = { id: alert.ruleId, name, intervalMs };
        engine.resolveOrphan({ ...alert, rule }, this.host.clock.nowMs());
      }
    }
    for (const [, rule] of engine.rules) {
      // What a rule did not store since, it has not been touched by: the common position holds for it too.
      for (const [partition, offset] of engine.position) {
        rule.from.set(partition, Math.max(offset, rule.from.get(partition) ?? 0));
      }
    }
    const notifications = [...state.notifications.values()];
    notifications.sort((a, b) => a.timings.evalMs - b.timings.evalMs);
    for (const notification of notifications) {
      this.notifications.set(notification.id, notification);
      this.recovered.add(notification.id);
    }
    this.noteTransitions();
  }

  private async onAssigned(assigned: readonly TopicPartition[]): Promise<void> {
    const partitions = assigned.map(({ partition }) => partition);
    if (partitions.length < this.engine.partitions.size) {
      this.host.log.error(
        { got: partitions.length, want: this.engine.partitions.size },
        `another member of group ${this.config.groupId} reads a part of ${INPUT}: alerts see only the rest`,
      );
    }
    for (const partition of partitions) {
      const offset = this.engine.position.get(partition);
      if (offset !== undefined) this.consumer?.seek({ topic: INPUT, partition, offset });
    }
    this.engine.assign(partitions);
  }

  private async onBatch(batch: ConsumedBatch): Promise<void> {
    const { clock, timers } = this.host;
    let sliceBeganMs = clock.monotonicMs();
    for (const record of batch.records) {
      if (clock.monotonicMs() - sliceBeganMs >= SLICE_MS) {
        await this.afterRecords();
        await new Promise<void>((resolve) => timers.soon(resolve));
        // What is left is read again by the next start, from the position that the engine has reached.
        if (this.stopping.signal.aborted) return;
        sliceBeganMs = clock.monotonicMs();
      }
      let logs: ReturnType<typeof readLogs> = [];
      try {
        logs = record.value ? readLogs(record.value) : [];
      } catch (error) {
        this.metrics.undecodable.add(1);
        const { topic, partition } = batch;
        this.host.log.warn({ topic, partition, offset: record.offset }, messageOf(error));
      }
      this.engine.consume(batch.partition, record.offset, record.timestampMs, logs);
    }
    await this.afterRecords();
  }

  private async afterRecords(): Promise<void> {
    this.isDirty = true;
    this.judge();
    await this.settle();
  }

  private judge(): void {
    const watermarkMs = this.engine.watermarkMs();
    if (!this.pastIsTold) {
      // What fired before `notifyFromMs` and still does is told once the reading has come to that time.
      this.engine.advance(Math.min(watermarkMs, this.notifyFromMs));
      this.noteTransitions();
      if (watermarkMs < this.notifyFromMs) return;
      this.tellPast();
    }
    this.engine.advance(watermarkMs);
  }

  private tellPast(): void {
    this.pastIsTold = true;
    for (const { alerts } of this.engine.rules.values()) {
      for (const alert of alerts.values()) {
        const { phase, startsAtMs = 0 } = alert.instance;
        if (phase !== 'firing' || startsAtMs >= this.notifyFromMs) continue;
        this.note({ alert, from: 'inactive', to: 'firing', why: '', atMs: startsAtMs });
      }
    }
  }

  /** Transitions become intents; state and intents become durable; only then they are sent. */
  private async settle(): Promise<void> {
    this.noteTransitions();
    const news = this.unsent;
    this.unsent = [];
    const now = this.host.clock.nowMs();
    const isDue = this.isDirty && now - this.lastCheckpointMs >= this.config.checkpointIntervalMs;
    if (news.length > 0 || isDue) await this.store();
    if (isDue) await this.commit();
    for (const notification of news) this.send(notification);
  }

  private noteTransitions(): void {
    for (const transition of this.engine.takeTransitions()) {
      const { alert, from, to, why, atMs } = transition;
      this.isDirty = true;
      this.metrics.transitions.add(1, { to });
      this.host.log.info(
        { rule: alert.rule.name, alert: formatLabels(alert.labels), atMs },
        `alert ${from} → ${to}: ${why}`,
      );
      if (atMs < this.notifyFromMs) {
        if (to === 'firing' || to === 'resolved') this.metrics.suppressed.add(1);
      } else {
        this.note(transition);
      }
    }
  }

  private note(transition: Transition): void {
    const targets = this.queues.map(({ name }) => name);
    const notification = notificationOf(transition, targets, this.host.clock.nowMs());
    if (!notification || this.notifications.has(notification.id)) return;
    this.notifications.set(notification.id, notification);
    this.unsent.push(notification);
    this.isDirty = true;
  }

  private send(notification: Notification): void {
    for (const queue of this.queues) {
      const current = this.notifications.get(notification.id)?.deliveries[queue.name];
      if (current?.outcome === 'waiting') queue.enqueue(notification);
    }
  }

  private onOutcome(id: string, target: string, delivery: Delivery): void {
    const [kind = ''] = target.split(' ');
    this.metrics.notifications.add(1, { target: kind, outcome: delivery.outcome });
    const notification = this.notifications.get(id);
    if (!notification) return;
    const told = withDelivery(notification, target, delivery);
    this.notifications.set(id, told);
    this.isDirty = true;
    const { appendMs, evalMs, notifyMs } = told.timings;
    if (notifyMs !== undefined && notification.timings.notifyMs === undefined) {
      this.metrics.timeToNotify.observe(Math.max(0, notifyMs - (appendMs ?? evalMs)) / 1_000);
    }
    if (delivery.outcome !== 'delivered') {
      this.host.log.error({ target, id, outcome: delivery.outcome }, `cannot notify: ${delivery.lastError}`);
    }
    void this.store();
  }

  /** Is everything read? Then event time goes on although nothing comes. */
  private async probe(): Promise<void> {
    if (this.probing || !this.admin) return;
    this.probing = true;
    try {
      const beganMs = this.host.clock.nowMs();
      let isAllRead = true;
      for (const { partition, start, end } of await this.admin.offsets(INPUT)) {
        const next = this.engine.position.get(partition) ?? start;
        if (next >= end) this.engine.caughtUp(partition, beganMs);
        else isAllRead = false;
      }
      this.judge();
      for (const _gone of this.engine.forgetResolved(beganMs - RESOLVED_KEPT_MS)) this.isDirty = true;
      await this.settle();
      if (isAllRead && this.recovered.size > 0) {
        await this.store();
        this.recovered.clear();
      }
    } catch (error) {
      this.host.log.debug({ error: messageOf(error) }, `cannot look at the ends of ${INPUT}`);
    } finally {
      this.probing = false;
    }
  }

  /** Stores the state; calls that come while one is under way share the next. Retries until it is durable. */
  private store(): Promise<void> {
    if (!this.writing) {
      this.writing = this.untilDone('store the state of the alerts', () => this.write()).then(() => {
        this.writing = undefined;
      });
      return this.writing;
    }
    this.queued ??= this.writing.then(() => {
      this.queued = undefined;
      return this.store();
    });
    return this.queued;
  }

  private async write(): Promise<void> {
    this.isDirty = false;
    this.forgetNotifications();
    const { records, done } = this.writer.changes(
      stateEntries(this.engine, {
        files: this.files,
        notifications: this.notifications,
        origin: this.origin,
        notifyFromMs: this.pastIsTold ? -Infinity : this.notifyFromMs,
      }),
    );
    try {
      // One send to one partition is one batch: it is there as a whole or not at all.
      for (const batch of batchesOf(records)) await this.producer!.send(ALERTS_TOPIC, batch);
    } catch (error) {
      this.isDirty = true;
      throw error;
    }
    done();
    this.lastCheckpointMs = this.host.clock.nowMs();
    this.metrics.checkpoints.add(1);
  }

  /** For those who look at the group's lag; the position that counts is in the state. */
  private async commit(): Promise<void> {
    const offsets = [...this.engine.position]
      .filter(([partition]) => this.engine.partitions.has(partition))
      .map(([partition, offset]) => ({ topic: INPUT, partition, offset }));
    await this.consumer?.commit(offsets).catch((error: unknown) => {
      this.host.log.debug({ error: messageOf(error) }, 'cannot commit offsets');
    });
  }

  private forgetNotifications(): void {
    const waiting = [...this.notifications.values()].filter(isWaiting);
    for (const { id } of waiting.slice(0, Math.max(0, waiting.length - NOTIFICATIONS_WAITING_MAX))) {
      this.notifications.delete(id);
      this.metrics.notifications.add(1, { target: 'any', outcome: 'overflowed' });
    }
    let spare = this.notifications.size - waiting.length - NOTIFICATIONS_KEPT;
    for (const [id, notification] of this.notifications) {
      if (spare <= 0) return;
      if (isWaiting(notification) || this.recovered.has(id)) continue;
      this.notifications.delete(id);
      spare -= 1;
    }
  }

  private async resend(): Promise<void> {
    // While the past is read nothing of it is told.
    if (!this.pastIsTold || this.config.alertmanagers.length === 0) return;
    const alerts = alertsToResend(this.engine.rules.values(), this.host.clock.nowMs());
    if (alerts.length > 0) await resend(alerts, this.config, this.post, this.host);
  }

  /** Undefined when stopped before it succeeded. Says the first failure and the recovery. */
  private async untilDone<T>(doing: string, fn: () => Promise<T>): Promise<T | undefined> {
    let backoffMs = RETRY_MIN_MS;
    let failed = false;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        const result = await fn();
        if (failed) this.host.log.info({}, `could ${doing} again`);
        return result;
      } catch (error) {
        if (!failed) this.host.log.warn({ error: messageOf(error) }, `cannot ${doing}, trying again`);
        failed = true;
        await this.host.timers.sleep(backoffMs, signal);
        backoffMs = Math.min(backoffMs * 2, RETRY_MAX_MS);
      }
    }
    return undefined;
  }

  private collect(): void {
    const { engine, metrics } = this;
    metrics.tell(engine.counts);
    metrics.rulesLoaded.set(engine.rules.size);
    metrics.rulesFailed.set([...this.files.values()].reduce((sum, file) => sum + file.problems.length, 0));
    const phases = { pending: 0, firing: 0, resolved: 0 };
    for (const { alerts } of engine.rules.values()) {
      for (const { instance } of alerts.values()) phases[instance.phase] += 1;
    }
    for (const [state, count] of Object.entries(phases)) metrics.alerts.set(count, { state });
    const lagMs = this.host.clock.nowMs() - engine.watermarkMs();
    if (Number.isFinite(lagMs)) metrics.watermarkLag.set(Math.max(0, lagMs) / 1_000);
    metrics.waiting.set(this.queues.reduce((sum, queue) => sum + queue.size, 0));
  }
}

/**
 * Nearly always one batch. State that is too large for one goes in several, intents and alerts first, the
 * position last: windows carry the offsets they reflect, and an alert is not ended by a judgement that lies
 * before its start, so that a crash between two of them is repaired by reading again from the old position.
 */
function batchesOf(records: readonly ProduceRecord[]): ProduceRecord[][] {
  const batches: ProduceRecord[][] = [];
  let bytes = Infinity;
  for (const record of records) {
    const size = (record.key?.length ?? 0) + (record.value?.length ?? 0) + RECORD_OVERHEAD_BYTES;
    if (bytes + size > RECORD_BYTES_MAX) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)!.push(record);
    bytes += size;
  }
  return batches;
}

/** Lengths, timestamps and the like around key and value, at most. */
const RECORD_OVERHEAD_BYTES = 40;

/** The state topic, read to the end that it has now. */
async function readState(kafka: KafkaClient, signal: AbortSignal): Promise<StoredState> {
  const state = emptyState();
  let done: () => void = () => undefined;
  const complete = new Promise<void>((resolve) => (done = resolve));
  signal.addEventListener('abort', done, { once: true });
  const reader = await kafka.reader({
    topic: ALERTS_TOPIC,
    from: 'earliest',
    onBatch: (batch) => {
      for (const { key, value } of batch.records) applyRecord(state, key, value);
      return Promise.resolve();
    },
    onCaughtUp: done,
  });
  await complete;
  await reader.close();
  return state;
}
