import { hostname } from 'node:os';

import type { Host } from '../../broker/host/host.ts';
import type { Part } from '../../broker/host/part.ts';
import { agentMetrics } from './agent-metrics.ts';
import type { AgentConfig } from './config.ts';
import { Delivery } from './delivery.ts';
import { HostMetrics } from './host-metrics/host-metrics.ts';
import { createPoster } from './post.ts';
import { Positions } from './tail/positions.ts';
import { Tail } from './tail/tail.ts';

/** Of a stop's deadline, what is kept for the last checkpoint. */
const CHECKPOINT_RESERVE_MS = 500;

export interface Agent extends Part {
  status(): { agentId: string; files: number; unreadBytes: number };
}

/**
 * Starts following files and sampling the machine. Rejects when the data directory cannot be used; a
 * collector that is away is waited for.
 */
export async function start(config: AgentConfig, host: Host): Promise<Agent> {
  const metrics = agentMetrics(host.metrics);
  const stopping = new AbortController();
  const { positions, unlock } = await openPositions(config, host, () => metrics.checkpointErrors.add(1));
  const hostName = config.hostName ?? hostname();
  const poster = createPoster(config.collector, config.retry.timeoutMs);
  const delivery = new Delivery(host, config, metrics, poster.post, stopping.signal);
  const tail = new Tail(host, config, hostName, metrics, positions, (batch) =>
    delivery.lines(batch, () => positions.changed()),
  );
  const hostMetrics = new HostMetrics(host, hostName, (body, points) =>
    delivery.metricsRequest(body, points),
  );
  host.metrics.onCollect(() => {
    const { files, unreadBytes } = tail.status();
    metrics.openFiles.set(files);
    metrics.unreadBytes.set(unreadBytes);
    metrics.checkpointAge.set(positions.ageMs() / 1000);
  });
  tail.start();
  if (config.hostMetrics.enabled) hostMetrics.start(config.hostMetrics.intervalMs);
  host.log.info(
    { collector: config.collector, files: config.files.map(({ path }) => path) },
    'agent started',
  );

  let stopped: Promise<void> | undefined;
  const stop = async (deadlineMs: number): Promise<void> => {
    // The lines of the last moment still leave; those that do not in time are read again after the next start.
    await tail.poll();
    tail.stop();
    const expired = host.timers.after(Math.max(deadlineMs - CHECKPOINT_RESERVE_MS, 0), () =>
      stopping.abort(),
    );
    await Promise.all([tail.settled(), hostMetrics.stop()]);
    expired();
    stopping.abort();
    await positions.close();
    await tail.close();
    poster.close();
    await unlock();
    host.log.info({}, 'agent stopped');
  };
  return {
    addresses: {},
    status: () => ({ agentId: positions.agentId, ...tail.status() }),
    stop: (deadlineMs) => (stopped ??= stop(deadlineMs)),
  };
}

/** Alone on its directory: two agents would overwrite each other's positions. */
async function openPositions(
  config: AgentConfig,
  host: Host,
  onError: () => void,
): Promise<{ positions: Positions; unlock: () => Promise<void> }> {
  let unlock: (() => Promise<void>) | undefined;
  try {
    await host.files.makeDirectory(config.dataDir);
    unlock = await host.files.lockDirectory(config.dataDir);
    if (unlock) {
      const positions = await Positions.open(host, config.dataDir, (error) => {
        onError();
        host.log.error(
          { dataDir: config.dataDir, error: String(error) },
          'cannot write the positions, trying again',
        );
      });
      return { positions, unlock };
    }
  } catch (error) {
    await unlock?.();
    const got = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Error(`cannot use data directory ${config.dataDir}: got ${got}, want one to read and write`, {
      cause: error,
    });
  }
  throw new Error(
    `cannot use data directory ${config.dataDir}: got it in use by another agent, want it alone`,
  );
}
