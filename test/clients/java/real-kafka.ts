/**
 * A real Apache Kafka on this machine, from its Maven artifacts: one node that is broker and controller, storage of
 * its own, free ports, a small heap. By hand: `node test/clients/java/real-kafka.ts` prints where it listens and
 * runs until it is interrupted.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Java, prepareJava } from '../../support/java.ts';
import { BROKER_SETTINGS, SASL_SETTINGS, type TargetBroker } from './target-broker.ts';

const READY_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 10_000;
/** Any 16 bytes, as Kafka writes them. */
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg';

export interface RealKafkaOptions {
  /** Ports that clients are told to come to, of a proxy in front of it; default: its own. */
  readonly advertisedPorts?: { readonly plain: number; readonly sasl: number };
  /** More of `server.properties`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

export async function startRealKafka(java: Java, options: RealKafkaOptions = {}): Promise<TargetBroker> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-'));
  const [plain, sasl, controller] = (await freePorts(3)) as [number, number, number];
  const advertised = options.advertisedPorts ?? { plain, sasl };
  const properties = join(directory, 'server.properties');
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@localhost:${controller}`,
    listeners: `PLAIN://localhost:${plain},SECURE://localhost:${sasl},CONTROLLER://localhost:${controller}`,
    'advertised.listeners': `PLAIN://localhost:${advertised.plain},SECURE://localhost:${advertised.sasl}`,
    'listener.security.protocol.map': 'PLAIN:PLAINTEXT,SECURE:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAIN',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(directory, 'log'),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    ...BROKER_SETTINGS,
    ...SASL_SETTINGS,
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  writeFileSync(properties, lines.join('\n'));
  const child = java.spawn('server', 'millrace.RealKafka', [properties, CLUSTER_ID], 512);
  let output = '';
  const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const late = setTimeout(kill, STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(late);
    process.off('exit', kill);
    rmSync(directory, { recursive: true, force: true });
  };
  const ready = new Promise<void>((resolve, reject) => {
    const listen = (chunk: Buffer): void => {
      output += chunk.toString();
      if (output.includes('Kafka Server started')) resolve();
    };
    child.stdout!.on('data', listen);
    child.stderr!.on('data', listen);
    void ended.then(() => reject(new Error(`Apache Kafka ended:\n${output}`)));
    setTimeout(
      () => reject(new Error(`Apache Kafka was not ready in ${READY_TIMEOUT_MS} ms:\n${output}`)),
      READY_TIMEOUT_MS,
    ).unref();
  });
  try {
    await ready;
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: 'kafka', bootstrap: `localhost:${plain}`, saslBootstrap: `localhost:${sasl}`, stop };
}

/** Kafka wants to know its ports beforehand, because it advertises them. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await new Promise((resolve) => void server.once('listening', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('cannot find free ports');
    ports.push(address.port);
  }
  for (const server of servers) await new Promise((resolve) => void server.close(resolve));
  return ports;
}

if (import.meta.main) {
  const java = prepareJava();
  if (typeof java === 'string') throw new Error(`cannot run Apache Kafka: ${java}`);
  const starting = startRealKafka(java);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void starting.then((kafka) => kafka.stop()));
  }
  const { bootstrap, saslBootstrap } = await starting;
  console.log(`${bootstrap}, with SASL ${saslBootstrap}; Ctrl-C ends it`);
}
