import type { Host } from '../../../broker/host/host.ts';
import { encodeMetrics } from '../../../broker/records/otlp/write-metrics.ts';
import { readHost } from './read-host.ts';
import type { HostSample } from './sample.ts';
import { toMetrics } from './to-metrics.ts';

/** Sends one metrics request with so many data points. One that is not taken is not kept: false. */
export type SendMetrics = (body: Buffer, points: number) => Promise<boolean>;

/**
 * A rate needs two samples, and nobody wants to wait an interval for it: until two are taken, one a second. Not
 * at once: a collector that starts with the agent has no broker yet, and what it refuses is dropped and counted.
 */
const EARLY_SAMPLES = 2;
const EARLY_MS = 1_000;
/** A collector that takes none of so many is not just starting. */
const EARLY_TRIES_MAX = 10;

/** Samples the machine soon and then every `intervalMs`; a sample that finds the last one still on its way is left out. */
export class HostMetrics {
  private readonly host: Host;
  private readonly resource: { readonly attributes: Record<string, string> };
  private readonly send: SendMetrics;
  private before: HostSample | undefined;
  private running: Promise<boolean> | undefined;
  private readonly stopping = new AbortController();
  private cancel: (() => void) | undefined;

  constructor(host: Host, hostName: string, send: SendMetrics) {
    this.host = host;
    const os = process.platform === 'win32' ? 'windows' : process.platform;
    this.resource = { attributes: { 'service.name': 'host', 'host.name': hostName, 'os.type': os } };
    this.send = send;
  }

  start(intervalMs: number): void {
    this.cancel = this.host.timers.every(intervalMs, () => void this.sample());
    void this.sampleEarly(Math.min(EARLY_MS, intervalMs));
  }

  async stop(): Promise<void> {
    this.cancel?.();
    this.stopping.abort();
    await this.running;
  }

  private async sampleEarly(everyMs: number): Promise<void> {
    const { signal } = this.stopping;
    let taken = 0;
    for (let tries = 0; tries < EARLY_TRIES_MAX && taken < EARLY_SAMPLES; tries++) {
      await this.host.timers.sleep(everyMs, signal);
      if (signal.aborted) return;
      if (await this.sample()) taken += 1;
    }
  }

  /** Takes and sends one sample; false when it was not taken. Never rejects. */
  sample(): Promise<boolean> {
    this.running ??= this.sampleOnce()
      .catch((error: unknown) => {
        this.host.log.warn({ error: String(error) }, 'cannot sample the host');
        return false;
      })
      .finally(() => {
        this.running = undefined;
      });
    return this.running;
  }

  private async sampleOnce(): Promise<boolean> {
    const sample = await readHost();
    const metrics = toMetrics(sample, this.before, this.host.clock.nowNs());
    this.before = sample;
    const points = metrics.reduce((count, metric) => count + metric.points.length, 0);
    return this.send(encodeMetrics({ resource: this.resource, metrics }), points);
  }
}
