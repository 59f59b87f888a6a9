/** What clients do: transactions of random sends, copies with positions, sends outside of transactions. */
import type { ClientPort, ConsumerPort, ProducerPort } from './client-port.ts';
import type { Outcome, Poll, Polled, Send, Session } from './history.ts';
import type { Recorder } from './recorder.ts';

export interface World {
  readonly recorder: Recorder;
  readonly partitions: number;
  readonly stopping: () => boolean;
}

type Random = () => number;

const ABORTED_SHARE = 0.3;
const PAUSE_MS = 20;
/** Between attempts to start again while the broker is away. */
const AWAY_MS = 100;

/** One transaction after another; with an unknown end it starts again as a new producer of the same id. */
export async function writeTransactions(
  world: World,
  client: ClientPort,
  name: string,
  random: Random,
): Promise<void> {
  let producer: ProducerPort | undefined;
  while (!world.stopping()) {
    producer ??= await opened(() => client.producer(name));
    if (!producer) continue;
    const { broken } = await transact(world, producer, name, random);
    if (broken) producer = await discarded(producer);
    await pause(PAUSE_MS * random());
  }
  await discarded(producer);
}

/** Idempotent sends; of one without an answer nothing is known. */
export async function writePlain(
  world: World,
  client: ClientPort,
  name: string,
  random: Random,
): Promise<void> {
  const { recorder } = world;
  let producer: ProducerPort | undefined;
  while (!world.stopping()) {
    producer ??= await opened(() => client.producer(undefined));
    if (!producer) continue;
    const steps: Send[] = [];
    const startMs = recorder.nowMs();
    let outcome: Outcome = 'ok';
    try {
      await send(producer, world, name, random, steps);
    } catch {
      outcome = 'unknown';
    }
    recorder.add({ process: name, startMs, outcome, transactional: false, steps });
    if (outcome === 'unknown') producer = await discarded(producer);
    await pause(2 * PAUSE_MS * random());
  }
  await discarded(producer);
}

/**
 * A member of a group of its own: a transaction is what it polled, some sends and its positions. Tried again after an
 * abort; from the group's position, by a new producer and a new member, where the end is unknown.
 */
export async function copyTransactions(
  world: World,
  client: ClientPort,
  name: string,
  random: Random,
): Promise<void> {
  let producer: ProducerPort | undefined;
  let consumer: ConsumerPort | undefined;
  for (let life = 0; !world.stopping();) {
    // In this order: the positions are certain only when the earlier producer's transaction is over.
    producer ??= await opened(() => client.producer(name));
    if (!producer) continue;
    consumer ??= await opened(() => client.consumer(`group-${name}`));
    if (!consumer) continue;
    const records = await consumer.poll().catch(() => undefined);
    let broken = records === undefined;
    for (let attempt = 0, open = (records?.length ?? 0) > 0; open && !broken; attempt += 1) {
      const id = `${name} life ${life}${attempt > 0 ? ` again ${attempt} ${records![0]!.offset}` : ''}`;
      const result = await transact(world, producer, name, random, {
        records: records!,
        consumer,
        session: { id, by: 'subscribe', isolation: client.isolation },
      });
      broken = result.broken;
      open = !result.committed;
    }
    if (broken) {
      life += 1;
      producer = await discarded(producer);
      consumer = await discarded(consumer);
    }
    await pause(PAUSE_MS);
  }
  await discarded(consumer);
  await discarded(producer);
}

interface Copied {
  readonly records: readonly Polled[];
  readonly consumer: ConsumerPort;
  readonly session: Session;
}

/** Failed for certain as long as nobody asked to commit. */
async function transact(
  { recorder, partitions }: World,
  producer: ProducerPort,
  name: string,
  random: Random,
  copied?: Copied,
): Promise<{ committed: boolean; broken: boolean }> {
  const steps: Array<Send | Poll> = copied ? [{ kind: 'poll', records: copied.records }] : [];
  const startMs = recorder.nowMs();
  let outcome: Outcome = 'failed';
  let broken = false;
  try {
    const transaction = await producer.begin();
    const count = 1 + Math.floor(random() * (copied ? 1 : 4));
    for (let i = 0; i < count; i += 1) await send(transaction, { recorder, partitions }, name, random, steps);
    if (copied) await transaction.sendPositions(copied.consumer);
    if (random() < ABORTED_SHARE) await transaction.abort();
    else {
      outcome = 'unknown';
      await transaction.commit();
      outcome = 'ok';
    }
  } catch {
    broken = true;
  }
  const { session, consumer } = copied ?? {};
  recorder.add({
    process: name,
    startMs,
    outcome,
    transactional: true,
    steps,
    session,
    group: consumer?.groupId,
  });
  return { committed: outcome === 'ok', broken };
}

/** Known as sent before it is, with its offsets once they are acknowledged. */
async function send(
  via: Pick<ProducerPort, 'send'>,
  { recorder, partitions }: Pick<World, 'recorder' | 'partitions'>,
  name: string,
  random: Random,
  steps: Array<Send | Poll>,
): Promise<void> {
  const partition = Math.floor(random() * partitions);
  const values = Array.from({ length: 1 + Math.floor(random() * 3) }, () => recorder.value(name));
  const at = steps.length;
  steps.push(...values.map((value): Send => ({ kind: 'send', partition, value })));
  const offset = await via.send(partition, values);
  if (offset === undefined) return;
  steps.splice(
    at,
    values.length,
    ...values.map((value, i): Send => ({ kind: 'send', partition, value, offset: offset + i })),
  );
}

async function opened<T>(open: () => Promise<T>): Promise<T | undefined> {
  try {
    return await open();
  } catch {
    await pause(AWAY_MS);
    return undefined;
  }
}

async function discarded(port: { close(): Promise<void> } | undefined): Promise<undefined> {
  await port?.close().catch(() => {});
  return undefined;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
