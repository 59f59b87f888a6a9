/** Clients at work on a broker of its own that is killed at random moments, and what they saw of it. */
import { once } from 'node:events';

import { createTopics } from '../../../broker/wire/schemas/index.ts';
import { type OurBroker, startOurBroker } from '../../clients/java/our-broker.ts';
import { RawClient } from '../../support/raw-client.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { AssignedReader } from './assigned-reader.ts';
import type { ClientPort } from './client-port.ts';
import { goHistory } from './go-history.ts';
import type { History, Isolation } from './history.ts';
import { kafkajsPort } from './kafkajs-port.ts';
import { platformaticPort } from './platformatic-port.ts';
import { Recorder } from './recorder.ts';
import { copyTransactions, type World, writePlain, writeTransactions } from './workers.ts';

const TOPIC = 'history';
const PARTITIONS = 3;
const BETWEEN_KILLS_MS = [1_000, 5_000] as const;
/** Behind the last kill, for a client that has not copied anything yet: on a busy machine some need longer to come back. */
const CALM_MAX_MS = 60_000;
/** Transactions that nobody ends are over after their timeout; then 10 s are left to find them. */
const TO_THE_END_MS = 5_000 + 10_000 + 10_000;

export interface Run extends History {
  readonly kills: number;
  /** Why a client is missing. */
  readonly skipped: readonly string[];
}

export async function runHistory(plan: {
  readonly seed: number;
  readonly seconds: number;
  readonly kills?: boolean;
  readonly clients?: readonly string[];
}): Promise<Run> {
  const broker = await startOurBroker();
  try {
    return await run(broker, plan);
  } finally {
    await broker.stop();
  }
}

async function run(broker: OurBroker, plan: Parameters<typeof runHistory>[0]): Promise<Run> {
  const { seed, seconds } = plan;
  const recorder = new Recorder();
  const port = Number(broker.bootstrap.split(':')[1]);
  await makeTopic(port);
  const stop = new AbortController();
  const { signal } = stop;
  const world: World = { recorder, partitions: PARTITIONS, stopping: () => signal.aborted };
  const isWanted = (name: string): boolean => plan.clients?.includes(name) ?? true;
  const ports: ClientPort[] = [
    kafkajsPort(broker.bootstrap, TOPIC),
    platformaticPort(broker.bootstrap, TOPIC),
  ];
  const workers = ports
    .filter(({ name }) => isWanted(name))
    .flatMap((client) => [
      writeTransactions(world, client, `${client.name}-1`, seededFor(`${client.name}-1`)),
      writeTransactions(world, client, `${client.name}-2`, seededFor(`${client.name}-2`)),
      writePlain(world, client, `${client.name}-plain`, seededFor(`${client.name}-plain`)),
      copyTransactions(world, client, copierOf(client.name), seededFor(copierOf(client.name))),
    ]);
  const go = isWanted('franz-go')
    ? goHistory({ address: broker.bootstrap, topic: TOPIC, partitions: PARTITIONS, seed, seconds })
    : undefined;
  const readers = (['read_committed', 'read_uncommitted'] as const).map((isolation) =>
    reader(`assigned ${isolation}`, isolation),
  );
  const reading = readers.map((one) => one.readUntil(world.stopping));

  const calm = AbortSignal.timeout(seconds * 1_000);
  const kills =
    plan.kills === false ? (await once(calm, 'abort'), 0) : await killUntil(broker, calm, seededFor('kills'));
  const copiers = ports.filter(({ name }) => isWanted(name)).map(({ name }) => copierOf(name));
  await copied(recorder, copiers);
  stop.abort();
  await Promise.all([...workers, ...reading]);
  const fromGo = await go?.operations;
  const last = readers.concat(
    reader('last read_committed', 'read_committed'),
    reader('last read_uncommitted', 'read_uncommitted'),
  );
  const ended = await Promise.allSettled(last.map((one) => one.readToEnd(TO_THE_END_MS)));
  for (const one of last) one.close();
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed) throw new Error('a partition cannot be read to its end', { cause: failed.reason });
  return {
    operations: [...recorder.operations, ...(fromGo ?? [])].toSorted((a, b) => a.endMs - b.endMs),
    complete: true,
    kills,
    skipped: go?.skipped ?? [],
  };

  function reader(id: string, isolation: Isolation): AssignedReader {
    return new AssignedReader(port, TOPIC, PARTITIONS, { id, by: 'assign', isolation }, recorder);
  }

  function seededFor(name: string): () => number {
    return seededRandom(Buffer.from(name).reduce((sum, byte) => sum * 31 + byte, seed));
  }
}

function copierOf(client: string): string {
  return `${client}-copy`;
}

/** Resolves when each of them has copied something, or was given its time. */
async function copied(recorder: Recorder, copiers: readonly string[]): Promise<void> {
  const untilMs = performance.now() + CALM_MAX_MS;
  const isDone = (name: string): boolean =>
    recorder.operations.some(({ process, outcome }) => process === name && outcome === 'ok');
  while (!copiers.every(isDone) && performance.now() < untilMs) {
    await new Promise((resolve) => void setTimeout(resolve, 100));
  }
}

/** Until told to stop: kill -9, and up again on the same directory. How often. */
async function killUntil(broker: OurBroker, signal: AbortSignal, random: () => number): Promise<number> {
  const [min, max] = BETWEEN_KILLS_MS;
  for (let kills = 0; ; kills += 1) {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, min + (max - min) * random());
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    if (signal.aborted) return kills;
    await broker.crash();
  }
}

async function makeTopic(port: number): Promise<void> {
  const client = await RawClient.connect(port);
  await client.call(createTopics, 7, {
    topics: [{ name: TOPIC, numPartitions: PARTITIONS, replicationFactor: 1, assignments: [], configs: [] }],
  });
  client.close();
}
