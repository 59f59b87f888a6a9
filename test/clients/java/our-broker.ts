/**
 * Our broker as a process of its own, which tests may kill. By hand: `node test/clients/java/our-broker.ts` prints
 * where it listens and runs until it is interrupted.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { brokerConfig } from '../../../broker/config.ts';
import { nodeHost } from '../../../broker/host/node-host.ts';
import { start } from '../../../broker/main.ts';
import type { TargetBroker } from './target-broker.ts';

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

/** What `BROKER_SETTINGS` says, by our names. */
const SETTINGS = {
  // Kafka's defaults, where ours are for small machines.
  segmentBytes: 2 ** 30,
  retentionBytes: -1,
  groupMinSessionTimeoutMs: 1_000,
  groupConsumerMinHeartbeatIntervalMs: 100,
  groupConsumerHeartbeatIntervalMs: 200,
  groupConsumerMinSessionTimeoutMs: 1_000,
  shareMinHeartbeatIntervalMs: 100,
  shareHeartbeatIntervalMs: 200,
  shareMinSessionTimeoutMs: 1_000,
  shareMinRecordLockDurationMs: 1_000,
  logCleanerBackoffMs: 200,
  security: {
    plainUsers: { admin: 'admin-secret', alice: 'alice-secret', bob: 'bob-secret' },
    // As Kafka's own login module for tests sends them.
    oauthBearer: { allowUnsecured: true },
    authorizer: true,
    superUsers: ['User:ANONYMOUS', 'User:admin'],
  },
};

const listeners = ({ plain, secure }: Ports): object[] => [
  { name: 'PLAIN', port: plain },
  {
    name: 'SECURE',
    port: secure,
    protocol: 'SASL_PLAINTEXT',
    sasl: { mechanisms: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] },
  },
];

interface Ports {
  readonly plain: number;
  readonly secure: number;
}

export interface OurBroker extends TargetBroker {
  /** Ends it as a crash would, and starts it again on the same directory and port. */
  crash(): Promise<void>;
}

export interface OurBrokerOptions {
  /** More of the configuration, by our names. */
  readonly settings?: object;
}

export async function startOurBroker(options: OurBrokerOptions = {}): Promise<OurBroker> {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-broker-'));
  const settings = { ...SETTINGS, ...options.settings, dataDir };
  let child = run({ ...settings, listeners: listeners({ plain: 0, secure: 0 }) });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const ports = await ready(child);
  return {
    name: 'millrace',
    bootstrap: `localhost:${ports.plain}`,
    saslBootstrap: `localhost:${ports.secure}`,
    async crash() {
      child.kill('SIGKILL');
      await ended(child);
      child = run({ ...settings, listeners: listeners(ports) });
      await ready(child);
    },
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(kill, STOP_TIMEOUT_MS);
      await ended(child);
      clearTimeout(late);
      process.off('exit', kill);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function run(config: object): ChildProcess {
  const args = [import.meta.filename, JSON.stringify(config)];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

function ready(child: ChildProcess): Promise<Ports> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const line = /^listening (.*)\n/m.exec(output);
      if (line) resolve(JSON.parse(line[1]!) as Ports);
    });
    child.once('exit', () => reject(new Error(`our broker ended:\n${output}`)));
    const late = (): void =>
      reject(new Error(`our broker was not ready in ${READY_TIMEOUT_MS} ms:\n${output}`));
    setTimeout(late, READY_TIMEOUT_MS).unref();
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => void child.once('exit', () => resolve()));
}

/** The process itself. */
if (import.meta.main) {
  const settings = process.argv[2];
  const config = settings
    ? (JSON.parse(settings) as object)
    : {
        ...SETTINGS,
        dataDir: mkdtempSync(join(tmpdir(), 'millrace-broker-')),
        listeners: listeners({ plain: 0, secure: 0 }),
      };
  const part = await start(brokerConfig.parse(config), nodeHost());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void part.stop(5_000).then(() => process.exit(0)));
  }
  const { kafka, ...others } = part.addresses;
  const ports: Ports = { plain: kafka!.port, secure: Object.values(others)[0]!.port };
  console.log(`listening ${JSON.stringify(ports)}`);
}
