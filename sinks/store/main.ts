/**
 * The embedded ClickHouse: chDB in this process behind ClickHouse's HTTP interface. The process should be started
 * with `storeEnvironment()`; a second one on the same directory is refused.
 *
 *     <dataDir>/writer-password     secret of the user that may write, 0600
 *     <dataDir>/engine/             ClickHouse's own files, engine.xml beside it
 *     <dataDir>/incoming/           bodies while a request lasts; emptied at start
 */
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import type { Host } from '../../broker/host/host.ts';
import type { Part } from '../../broker/host/part.ts';
import type { StoreConfig } from './config.ts';
import { writerPassword } from './credentials.ts';
import { keepDiskBound } from './disk-bound.ts';
import { openEngine } from './engine.ts';
import { statementSlots } from './environment.ts';
import { listen } from './listen.ts';
import { createStoreServer } from './server.ts';
import { createSlots } from './slots.ts';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

export async function start(config: StoreConfig, host: Host): Promise<Part> {
  if (!LOOPBACK.has(config.host) && config.readerPassword === '') {
    throw new Error(
      `cannot listen on ${config.host}: got no readerPassword, want one for every address beyond loopback`,
    );
  }
  const dataDir = resolve(config.dataDir);
  const incoming = join(dataDir, 'incoming');
  const password = await readable(dataDir, () => writerPassword(dataDir));
  const engine = await openEngine(join(dataDir, 'engine'), config);
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });

  const slots = statementSlots(config.readersMax, process.env);
  if (!slots.enough) {
    const got = process.env['UV_THREADPOOL_SIZE'] ?? 'the default of 4';
    host.log.warn(
      { ...slots },
      `UV_THREADPOOL_SIZE is ${got}: fewer statements run at a time than configured`,
    );
  }
  const readers = createSlots(slots.readers, config.waitingMax);
  const writers = createSlots(slots.writers, config.waitingMax);
  const running = host.metrics.gauge(
    'millrace_store_running_statements',
    'Statements that run now, by role.',
  );
  const waiting = host.metrics.gauge('millrace_store_waiting_statements', 'Statements that wait for a slot.');
  host.metrics.onCollect(() => {
    for (const [role, of] of [['reader', readers] as const, ['writer', writers] as const]) {
      running.set(of.running(), { role });
      waiting.set(of.waiting(), { role });
    }
  });

  const make = () => createStoreServer({ engine, config, host, password, incoming, readers, writers });
  let listening;
  try {
    listening = await listen(make, config.host, config.port);
  } catch (error) {
    await engine.close();
    throw error;
  }
  const { servers, port } = listening;
  const diskBound = keepDiskBound(engine, config, host);
  host.log.info({ port, engine: engine.version }, 'the embedded ClickHouse is ready');

  let stopping: Promise<void> | undefined;
  const stop = async (deadlineMs: number): Promise<void> => {
    diskBound.stop();
    await diskBound.settled();
    const closed = Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
    for (const server of servers) server.closeIdleConnections();
    // What still runs at half the deadline loses its connection, which ends its statement as well.
    const cancel = host.timers.after(deadlineMs / 2, () => {
      for (const server of servers) server.closeAllConnections();
    });
    await closed;
    cancel();
    const idle = () => readers.running() + writers.running() === 0;
    const deadline = host.clock.monotonicMs() + deadlineMs / 2;
    while (!idle() && host.clock.monotonicMs() < deadline) await host.timers.sleep(10);
    // Closing under a running statement aborts the process; the data is as safe without it.
    if (idle()) await engine.close();
  };
  return {
    addresses: { clickhouse: { host: config.host, port } },
    stop(deadlineMs) {
      stopping ??= stop(deadlineMs);
      return stopping;
    },
  };
}

async function readable<T>(dataDir: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    const got = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new Error(
      `cannot use the data directory ${dataDir}: got ${got}, want one that this user can read and write`,
      {
        cause: error,
      },
    );
  }
}
