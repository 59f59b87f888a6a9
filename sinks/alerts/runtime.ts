import type {
  Admin,
  ConsumedBatch,
  Consumer,
  KafkaClient,
  Producer,
  TopicPartition,
} from '../../broker/client/port.ts';
import type { Cancel, Host } from '../../broker/host/host.ts';
import { readLogs } from '../../broker/records/otlp/read-logs.ts';
import { ALERTS_TOPIC, SIGNAL_TOPICS, TOPIC_PLANS } from '../../broker/records/topics.ts';
import { Checkpoints } from './checkpoints.ts';
import type { AlertsConfig } from './config.ts';
import { Engine, ENGINE_DEFAULTS } from './engine.ts';
import { fetchPost, type HttpPost } from './http-post.ts';
import { formatLabels } from './labels.ts';
import { LoadedRules } from './loaded-rules.ts';
import { type AlertMetrics, createAlertMetrics } from './metrics.ts';
import { NotificationBook } from './notification-book.ts';
import { RESEND_INTERVAL_MS } from './notifiers.ts';
import { alertsToResend, resend } from './resend.ts';
import { untilDone } from './retry.ts';
import { messageOf } from './rule-file.ts';
import type { StoredState } from './state.ts';
import { restoreEngine, stateEntries, storedKeys } from './state-entries.ts';
import { readState } from './state-topic.ts';
import type { StateEntry } from './state-writer.ts';

const INPUT = SIGNAL_TOPICS.logs;
/** A first start reads what the topic holds, but wakes nobody for what is older than this. */
const FIRST_START_REACH_MS = 15 * 60_000;
/** Resolved alerts stay in sight for so long. */
const RESOLVED_KEPT_MS = 15 * 60_000;
/**
 * A batch that takes longer is left for a moment: heartbeats, sends and timers have their turn, and what fired is
 * told. One record, of 900 kB at most, is the smallest piece.
 */
const SLICE_MS = 20;

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
  private readonly rules: LoadedRules;
  private readonly book: NotificationBook;
  private readonly checkpoints: Checkpoints;
  private readonly stopping = new AbortController();
  private readonly timers: Cancel[] = [];
  private producer: Producer | undefined;
  private admin: Admin | undefined;
  private consumer: Consumer | undefined;
  private origin = '';
  private probing = false;

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
    this.rules = new LoadedRules(config, host);
    this.checkpoints = new Checkpoints(() => this.entries(), host, this.metrics, this.stopping.signal);
    this.book = new NotificationBook(config, host, post, this.metrics, () => {
      this.checkpoints.touch();
      void this.checkpoints.store();
    });
    host.metrics.onCollect(() => this.collect());
  }

  /** Reads rules and state, then follows the stream until `stop`. A broker that is away is waited for. */
  async run(): Promise<void> {
    const { signal } = this.stopping;
    (await this.rules.read()).keep();
    const recover = (): Promise<StoredState> => this.recover();
    const state = await untilDone('read the state of the alerts', recover, this.host, signal);
    if (!state || signal.aborted) return;
    this.takeOver(state);
    await this.checkpoints.store();
    this.book.send(this.book.notifications.values());
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
    await Promise.all([this.consumer?.close(), this.book.stop()]);
    this.noteTransitions();
    await this.checkpoints.close();
    await this.kafka.close();
  }

  /** Reads the rule files again; what is bad keeps its old rules and says so. */
  async reload(): Promise<void> {
    const { changed, keep } = await this.rules.read();
    if (!changed || this.stopping.signal.aborted) return;
    keep();
    this.applyRules();
    await this.settle();
    await this.checkpoints.store();
  }

  private applyRules(): void {
    this.rules.applyTo(this.engine);
    this.checkpoints.touch();
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
    const nowMs = this.host.clock.nowMs();
    const notifyFromMs = state.position?.notifyFromMs ?? nowMs - FIRST_START_REACH_MS;
    for (const [partition, time] of state.position?.times ?? []) engine.partitions.set(partition, time);
    this.applyRules();
    restoreEngine(engine, state, this.config.intervalMs, nowMs);
    this.book.takeOver(state.notifications.values(), notifyFromMs);
    this.noteTransitions();
    // Last: until everything is in force nothing is written, so that a half-read state never replaces a whole one.
    this.checkpoints.open(this.producer!, storedKeys(state));
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
    this.checkpoints.touch();
    this.judge();
    await this.settle();
  }

  private judge(): void {
    const watermarkMs = this.engine.watermarkMs();
    if (!this.book.pastIsTold) {
      // What fired before `notifyFromMs` and still does is told once the reading has come to that time.
      this.engine.advance(Math.min(watermarkMs, this.book.notifyFromMs));
      this.noteTransitions();
      if (watermarkMs < this.book.notifyFromMs) return;
      if (this.book.tellPast(this.engine.rules.values())) this.checkpoints.touch();
    }
    this.engine.advance(watermarkMs);
  }

  /** Transitions become intents; state and intents become durable; only then they are sent. */
  private async settle(): Promise<void> {
    this.noteTransitions();
    const news = this.book.takeUnsent();
    const isDue = this.checkpoints.isDue(this.config.checkpointIntervalMs);
    if (news.length > 0 || isDue) await this.checkpoints.store();
    if (isDue) await this.commit();
    this.book.send(news);
  }

  private noteTransitions(): void {
    for (const transition of this.engine.takeTransitions()) {
      const { alert, from, to, why, atMs } = transition;
      this.checkpoints.touch();
      this.metrics.transitions.add(1, { to });
      this.host.log.info(
        { rule: alert.rule.name, alert: formatLabels(alert.labels), atMs },
        `alert ${from} → ${to}: ${why}`,
      );
      this.book.note(transition);
    }
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
      for (const _gone of this.engine.forgetResolved(beganMs - RESOLVED_KEPT_MS)) this.checkpoints.touch();
      await this.settle();
      if (isAllRead && this.book.hasRecovered) {
        await this.checkpoints.store();
        this.book.releaseRecovered();
      }
    } catch (error) {
      this.host.log.debug({ error: messageOf(error) }, `cannot look at the ends of ${INPUT}`);
    } finally {
      this.probing = false;
    }
  }

  /** For one write. The book's bounds are kept here, so that what it drops is removed by the same write. */
  private entries(): StateEntry[] {
    const { book } = this;
    book.forget();
    return stateEntries(this.engine, {
      files: this.rules.files,
      notifications: book.notifications,
      origin: this.origin,
      notifyFromMs: book.pastIsTold ? -Infinity : book.notifyFromMs,
    });
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

  private async resend(): Promise<void> {
    // While the past is read nothing of it is told.
    if (!this.book.pastIsTold || this.config.alertmanagers.length === 0) return;
    const alerts = alertsToResend(this.engine.rules.values(), this.host.clock.nowMs());
    if (alerts.length > 0) await resend(alerts, this.config, this.post, this.host);
  }

  private collect(): void {
    const { engine, metrics } = this;
    metrics.tell(engine.counts);
    metrics.rulesLoaded.set(engine.rules.size);
    metrics.rulesFailed.set(this.rules.problems);
    const phases = { pending: 0, firing: 0, resolved: 0 };
    for (const { alerts } of engine.rules.values()) {
      for (const { instance } of alerts.values()) phases[instance.phase] += 1;
    }
    for (const [state, count] of Object.entries(phases)) metrics.alerts.set(count, { state });
    const lagMs = this.host.clock.nowMs() - engine.watermarkMs();
    if (Number.isFinite(lagMs)) metrics.watermarkLag.set(Math.max(0, lagMs) / 1_000);
    metrics.waiting.set(this.book.waiting);
  }
}
