import { openKafka } from '../../broker/client/kafkajs.ts';
import type { KafkaClient } from '../../broker/client/port.ts';
import type { Host } from '../../broker/host/host.ts';
import type { Part } from '../../broker/host/part.ts';
import type { AlertsConfig } from './config.ts';
import { type HttpPost, loadPost } from './http-post.ts';
import { Runtime } from './runtime.ts';

/** What tests replace. */
export interface AlertsPorts {
  readonly kafka?: KafkaClient;
  readonly post?: HttpPost;
}

/**
 * Starts the alert part: rules over the log topic, notifications, state in `millrace.alerts`. Returns at once;
 * a broker that is away is waited for. Without rule files it idles and touches no topic.
 */
export async function start(config: AlertsConfig, host: Host, ports: AlertsPorts = {}): Promise<Part> {
  if (config.rules.length === 0) {
    host.metrics.gauge('millrace_alerts_rules', 'Rules that run.').set(0);
    host.log.info({}, 'no rule files are configured (alerts.rules): idle');
    return { addresses: {}, stop: () => Promise.resolve() };
  }
  const kafka = ports.kafka ?? (await openKafka({ ...config.kafka, clientId: 'millrace-alerts' }, host));
  const runtime = new Runtime(config, host, kafka, ports.post);
  if (!ports.post) void loadPost().catch(() => undefined);
  const onHangup = (): void => void runtime.reload();
  process.on('SIGHUP', onHangup);
  const running = runtime.run().catch((error: unknown) => {
    host.log.error({ error: error instanceof Error ? error.message : String(error) }, 'alerts stopped');
  });
  let stopped: Promise<void> | undefined;
  return {
    addresses: {},
    stop(deadlineMs) {
      process.off('SIGHUP', onHangup);
      stopped ??= within(
        deadlineMs,
        runtime.stop().then(() => running),
        host,
      );
      return stopped;
    },
  };
}

/** The work, or the end of the time for it; leaves no timer behind. */
async function within(deadlineMs: number, work: Promise<void>, host: Host): Promise<void> {
  const done = new AbortController();
  await Promise.race([work, host.timers.sleep(deadlineMs, done.signal)]).catch(() => undefined);
  done.abort();
}
