import { REQUEST_HEADERS } from '../../broker/records/headers.ts';
import type { Host } from '../../broker/host/host.ts';
import type { AgentMetrics } from './agent-metrics.ts';
import type { AgentConfig } from './config.ts';
import type { Post } from './post.ts';
import { type LineBatch, requestPieces } from './tail/line-batch.ts';

/** Longest wait that a collector may ask for: a mistaken header must not stop the agent for hours. */
const RETRY_AFTER_MAX_MS = 60_000;

/** Sends what was read until the collector has it, for ever; stops only with `signal`. */
export class Delivery {
  private readonly host: Host;
  private readonly config: Pick<AgentConfig, 'retry' | 'collector'>;
  private readonly metrics: AgentMetrics;
  private readonly post: Post;
  private readonly signal: AbortSignal;
  /** Set while requests fail: so that the log says it once, and once that it is over. */
  private failing = false;
  /** Batches that wait for their next try. */
  private retrying = 0;

  constructor(
    host: Host,
    config: Pick<AgentConfig, 'retry' | 'collector'>,
    metrics: AgentMetrics,
    post: Post,
    signal: AbortSignal,
  ) {
    this.host = host;
    this.config = config;
    this.metrics = metrics;
    this.post = post;
    this.signal = signal;
  }

  /**
   * Sends a batch of lines, in order, and moves its position as far as it is acknowledged. False when the
   * agent stopped before all of it was.
   */
  async lines(batch: LineBatch, onAcknowledged: () => void): Promise<boolean> {
    const { position, ends } = batch;
    const done = ends.length === 0 || (await this.range(batch, 0, ends.length, onAcknowledged));
    if (!done) return false;
    position.offset = batch.offset;
    position.midLine = batch.midLine;
    position.lastNs = batch.lastNs;
    onAcknowledged();
    return true;
  }

  /**
   * One try: a newer sample follows soon, and old ones are worth no memory. False when it was not taken.
   */
  async metricsRequest(body: Buffer, points: number): Promise<boolean> {
    const outcome = await this.post('/v1/metrics', [body], {}, this.signal);
    if (outcome.type === 'taken') {
      this.recovered();
      this.metrics.sentRecords.add(points - outcome.rejected, { signal: 'metrics' });
      this.metrics.sentBytes.add(body.length, { signal: 'metrics' });
      return true;
    }
    if (outcome.type === 'later') this.failed(outcome.reason);
    this.metrics.droppedRecords.add(points, { signal: 'metrics', reason: reasonOf(outcome.reason) });
    return false;
  }

  /** The records `[from, to)`. The sequence is where the last one's line ends: the same bytes, the same number. */
  private async range(
    batch: LineBatch,
    from: number,
    to: number,
    onAcknowledged: () => void,
  ): Promise<boolean> {
    const { position, offsets } = batch;
    const pieces = requestPieces(batch, from, to);
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    const count = to - from;
    const headers = {
      [REQUEST_HEADERS.source]: position.source,
      [REQUEST_HEADERS.sequence]: String(offsets[to - 1]),
    };
    let delayMs = this.config.retry.initialMs;
    for (;;) {
      const outcome = await this.post('/v1/logs', pieces, headers, this.signal);
      if (outcome.type === 'taken') {
        this.recovered();
        this.metrics.sentRecords.add(count - outcome.rejected, { signal: 'logs' });
        this.metrics.sentBytes.add(bytes, { signal: 'logs' });
        if (outcome.rejected > 0) this.dropped(batch, outcome.rejected, 'rejected', outcome.message);
        position.offset = offsets[to - 1]!;
        onAcknowledged();
        return true;
      }
      if (outcome.type === 'refused') {
        // One bad record must not take its neighbours with it: halves, until it is alone.
        if (count === 1) {
          this.dropped(batch, 1, reasonOf(outcome.reason), `the line that ends at offset ${offsets[from]}`);
          return true;
        }
        const middle = from + Math.ceil(count / 2);
        return (
          (await this.range(batch, from, middle, onAcknowledged)) &&
          (await this.range(batch, middle, to, onAcknowledged))
        );
      }
      if (this.signal.aborted) return false;
      this.failed(outcome.reason);
      this.metrics.retriedRequests.add(1, { reason: reasonOf(outcome.reason) });
      const askedMs = Math.min(outcome.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
      // Spread over half the delay, so that many agents do not come back in the same instant.
      this.retrying += 1;
      await this.host.timers.sleep(askedMs + delayMs * (0.5 + this.host.random.unit() / 2), this.signal);
      this.retrying -= 1;
      if (this.signal.aborted) return false;
      delayMs = Math.min(delayMs * 2, this.config.retry.maxMs);
    }
  }

  private dropped(batch: LineBatch, count: number, reason: string, detail: string): void {
    this.metrics.droppedRecords.add(count, { signal: 'logs', reason });
    const { path } = batch.position;
    this.host.log.error({ path, count, reason, detail }, 'the collector refused log records: dropped');
  }

  private failed(reason: string): void {
    if (this.failing) return;
    this.failing = true;
    const { collector } = this.config;
    this.host.log.warn({ collector, reason }, 'the collector takes nothing: what is read waits in its file');
  }

  private recovered(): void {
    // An overloaded collector takes some and not others: that is not over while anything waits.
    if (!this.failing || this.retrying > 0) return;
    this.failing = false;
    this.host.log.info({ collector: this.config.collector }, 'the collector takes records again');
  }
}

/** As a label: statuses as they are, the system's error codes as one. */
function reasonOf(reason: string): string {
  return /^\d{3}$/.test(reason) ? reason : 'unreachable';
}
