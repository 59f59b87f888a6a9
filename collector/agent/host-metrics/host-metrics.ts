import type { Host } from '../../../broker/host/host.ts';
import { encodeMetrics } from '../../../broker/records/otlp/write-metrics.ts';
import { readHost } from './read-host.ts';
import type { HostSample } from './sample.ts';
import { toMetrics } from './to-metrics.ts';

/** Sends one metrics request with so many data points. One that is not taken is not kept. */
export type SendMetrics = (body: Buffer, points: number) => Promise<unknown>;

/** Samples the machine at once and then every `intervalMs`; a sample that finds the last one still on its way is left out. */
export class HostMetrics {
  private readonly host: Host;
  private readonly resource: { readonly attributes: Record<string, string> };
  private readonly send: SendMetrics;
  private before: HostSample | undefined;
  private running: Promise<void> | undefined;
  private cancel: (() => void) | undefined;

  constructor(host: Host, hostName: string, send: SendMetrics) {
    this.host = host;
    const os = process.platform === 'win32' ? 'windows' : process.platform;
    this.resource = { attributes: { 'service.name': 'host', 'host.name': hostName, 'os.type': os } };
    this.send = send;
  }

  start(intervalMs: number): void {
    this.cancel = this.host.timers.every(intervalMs, () => void this.sample());
    void this.sample();
  }

  async stop(): Promise<void> {
    this.cancel?.();
    await this.running;
  }

  /** Takes and sends one sample. Never rejects. */
  sample(): Promise<void> {
    this.running ??= this.sampleOnce()
      .catch((error: unknown) => this.host.log.warn({ error: String(error) }, 'cannot sample the host'))
      .finally(() => {
        this.running = undefined;
      });
    return this.running;
  }

  private async sampleOnce(): Promise<void> {
    const sample = await readHost();
    const metrics = toMetrics(sample, this.before, this.host.clock.nowNs());
    this.before = sample;
    const points = metrics.reduce((count, metric) => count + metric.points.length, 0);
    await this.send(encodeMetrics({ resource: this.resource, metrics }), points);
  }
}
