import type { LogConfig } from '../../broker/log/config.ts';
import type { DiskLog } from '../../broker/log/disk-log.ts';
import { LogError } from '../../broker/log/errors.ts';
import type { Partition } from '../../broker/log/partition/partition.ts';
import { openDiskLog } from '../../broker/log/open-log.ts';
import { encodeMarker } from '../../broker/log/producers/transaction-marker.ts';
import type { SimFiles } from '../sim/sim-files.ts';
import { type SimHost, SimMachine } from '../sim/sim-host.ts';
import { readBatches, recordBatch } from '../support/record-batch.ts';
import { badSpells } from './bad-spells.ts';
import { isLax, LAX_MS, LogModel } from './log-model.ts';

export interface RunPlan {
  readonly seed: number;
  /** The power fails at this operation of the first process; absent: by chance. */
  readonly cutAt?: number;
  /** Processes, each ended by a power cut, a kill or a close. */
  readonly lives: number;
  readonly actions: number;
  /** The disk also fails, fills up and writes short. */
  readonly faults?: boolean;
  /** Other sizes than `CONFIG`. */
  readonly sizes?: Partial<LogConfig>;
  /** There are lax topics (`flush.ms`) too, with producers of their own. */
  readonly lax?: boolean;
  /** Between lives the checkpoint may be lost. Nothing is deleted then: it alone knows up to where. */
  readonly losesCheckpoint?: boolean;
  /** Breaks what the log relies on: the run must then fail. */
  readonly plant?: (host: SimHost) => SimHost;
}

/** Small, so that files are closed, checkpoints made and segments rolled within tens of batches. */
const CONFIG = {
  dataDir: '/data/log',
  segmentBytes: 1_500,
  walFileBytes: 3_000,
  tailBytesMax: 0,
  retentionCheckMs: 50,
  probeMs: 5,
  reserveBytes: 700,
};

const HOUR_MS = 3_600_000;

interface Sent {
  readonly partition: Partition;
  readonly topicId: string;
  readonly producerId: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly values: readonly string[];
}

/** An idempotent producer: what got no answer is sent again, with the same sequence, in order. */
class Producer {
  readonly id: number;
  /** Of its transactions; undefined: it has none. */
  readonly version: 1 | 2 | undefined;
  readonly lax: boolean;
  epoch = 0;
  /** By topic id and partition: number of the next value, and the first number of this epoch. */
  readonly next = new Map<string, number>();
  readonly epochStart = new Map<string, number>();
  unanswered: Sent[] = [];
  /** By topic id and partition: where the open transaction wrote. */
  wrote = new Map<string, { topicId: string; partition: number }>();
  /** Decided: markers are written until each is there, as a coordinator does. */
  ending: 'commit' | 'abort' | undefined;

  constructor(id: number, version?: 1 | 2, lax = false) {
    this.id = id;
    this.version = version;
    this.lax = lax;
  }
}

export interface RunResult {
  /** What the last process served. */
  readonly dump: string;
  /** Writes and syncs of the last process before. */
  readonly operations: number;
  /** Of every operation of all processes. */
  readonly trace: string;
}

/** Throws on the first broken promise. */
export async function runWorkload(plan: RunPlan): Promise<RunResult> {
  const machine = new SimMachine(plan.seed);
  const model = new LogModel();
  const producers = [1, 2, 3].map((id) => new Producer(id));
  producers.push(new Producer(11, 1), new Producer(12, 2), new Producer(13, 2));
  const laxFrom = producers.length;
  if (plan.lax) producers.push(new Producer(21, undefined, true), new Producer(22, undefined, true));
  if (plan.lax) producers.push(new Producer(23, 2, true));
  let operations = 0;
  for (let life = 0; life < plan.lives; life++) {
    const host = machine.boot();
    const cutAt =
      life === 0 && plan.cutAt !== undefined ? plan.cutAt : 1 + machine.random.below(plan.lax ? 600 : 150);
    host.files.cutAt = cutAt;
    const spells = plan.faults ? badSpells(machine.random, host.files) : undefined;
    // A first start needs a disk; every later one must do without.
    if (spells && life > 0) host.files.fault = spells;
    const cut = new Promise<void>((resolve) => {
      host.files.onCut = resolve;
    });
    const planted = plan.plant?.(host) ?? host;
    await machine.loop.settle(Promise.race([live(machine, planted, model, producers, plan, spells), cut]));
    operations = host.files.operations;
    const isKilled = !host.files.off && machine.random.chance(0.5);
    if (isKilled) host.files.kill();
    else host.files.cut();
    if (!isKilled) model.powerCut = { atMs: machine.loop.nowMs, faults: plan.faults ?? false };
    // Whose records a lax topic lost cannot go on in its sequence: it begins anew.
    for (let i = laxFrom; i < producers.length && !isKilled; i++) {
      const { id, version } = producers[i]!;
      producers[i] = new Producer(id + 100, version, true);
    }
    if (plan.losesCheckpoint && machine.random.chance(0.6)) await loseCheckpoint(machine);
    await inspect(machine, model, plan);
  }
  const { dump } = await inspect(machine, model, plan);
  return { dump, operations, trace: machine.disk.trace.hash };
}

async function loseCheckpoint(machine: SimMachine): Promise<void> {
  const { files } = machine.boot();
  const { dataDir } = CONFIG;
  await machine.loop.settle(
    (async () => {
      // The first process may have come to nothing.
      if (!(await files.stat(dataDir))) return;
      await files.remove(`${dataDir}/checkpoint.json`);
      await files.syncDirectory(dataDir);
    })(),
  );
  files.kill();
}

/** Starts a process only to look: everything promised must be there; a second look must see the same. */
async function inspect(machine: SimMachine, model: LogModel, plan: RunPlan): Promise<{ dump: string }> {
  const dumps: string[] = [];
  for (const end of ['kill', 'cut'] as const) {
    const host = machine.boot();
    const planted = plan.plant?.(host) ?? host;
    const look = async (): Promise<string> => {
      // Retention would be another reason for a difference.
      const log = await openDiskLog({ ...CONFIG, ...plan.sizes, retentionCheckMs: HOUR_MS }, planted);
      if (log.storageError) throw new Error(`cannot write after recovery: ${log.storageError}`);
      return await model.verify(log.topics());
    };
    dumps.push(await machine.loop.settle(look()));
    host.files[end]();
  }
  if (dumps[0] !== dumps[1])
    throw new Error(`a second recovery sees something else:\n${dumps.join('\n--\n')}`);
  return { dump: dumps[0]! };
}

async function live(
  machine: SimMachine,
  host: SimHost,
  model: LogModel,
  producers: readonly Producer[],
  { actions, sizes, lax = false, losesCheckpoint: keeps = false }: RunPlan,
  spells?: SimFiles['fault'],
): Promise<void> {
  const { random, loop } = machine;
  const log = await openDiskLog({ ...CONFIG, ...sizes }, host);
  if (spells) host.files.fault = spells;
  if (log.topics().length === 0) await createTopic(log, model, 'first', {});
  if (lax && !log.topic('lax')) await createTopic(log, model, 'lax', { 'flush.ms': String(LAX_MS) });
  for (const producer of producers) retarget(log, producer);
  for (let i = 0; i < actions; i++) {
    await act(log, machine, model, producers, { lax, keeps });
    for (const topic of log.topics()) for (const partition of topic.partitions) model.of(partition, topic.id);
    if (random.chance(0.5)) await loopPass(loop, random.unit() * 3);
    model.checkStable(log.topics());
  }
  host.files.fault = () => undefined;
  for (let waited = 0; log.storageError && waited < 200; waited++) await loopPass(loop, 50);
  if (log.storageError)
    throw new Error(`cannot append 10 s after the disk was well again: ${log.storageError}`);
  // What the disk refused is sent again.
  for (const producer of producers) {
    resend(log, model, producer);
    endTransaction(log, model, producer);
  }
  await loopPass(loop, 5);
  if (lax) await laxAlone(log, machine, model, producers);
  model.checkStable(log.topics());
  if (random.chance(0.5)) await log.close();
}

/** Batches that no strict one brings to the disk, and time, in which their topic has to. */
async function laxAlone(
  log: DiskLog,
  { random, loop }: SimMachine,
  model: LogModel,
  producers: readonly Producer[],
): Promise<void> {
  const topic = log.topic('lax');
  for (let i = random.below(12); topic && i > 0; i--) {
    const partition = topic.partitions[0] as Partition;
    const producer = producers.find((one) => one.lax && one.version === undefined)!;
    send(log, model, producer, partition, topic.id, 1, random.below(300));
    await loopPass(loop, random.unit() * 2);
  }
  if (random.chance(0.5)) await loopPass(loop, random.unit() * 60);
}

async function act(
  log: DiskLog,
  { random }: SimMachine,
  model: LogModel,
  producers: readonly Producer[],
  { lax, keeps }: { readonly lax: boolean; readonly keeps: boolean },
): Promise<void> {
  const topics = log.topics();
  const dice = random.unit();
  if (topics.length === 0 || dice < 0.03) {
    const name = `topic-${random.below(5)}`;
    let configs: Record<string, string> = random.chance(0.3) && !keeps ? { 'retention.bytes': '3000' } : {};
    if (lax && random.chance(0.5)) configs = { ...configs, 'flush.ms': String(LAX_MS) };
    if (configs['flush.ms'] && random.chance(0.4)) configs = { ...configs, 'flush.messages': '5' };
    if (!log.topic(name)) await createTopic(log, model, name, configs);
    return;
  }
  const topic = random.pick(topics);
  const partition = random.pick(topic.partitions) as Partition;
  if (dice < 0.05 && topic.name !== 'first') {
    model.topics.delete(topic.name);
    if (await tried(log.deleteTopic(topic.name))) model.deleted.add(topic.id);
    return;
  }
  if (dice < 0.08 && !keeps) {
    const to = partition.startOffset + random.below(partition.highWatermark - partition.startOffset + 1);
    if (await tried(partition.deleteBefore(to))) {
      const known = model.of(partition, topic.id);
      known.startMin = Math.max(known.startMin, to);
    }
    return;
  }
  if (dice < 0.1) return await log.keepHouse();
  if (dice < 0.3) {
    const span = partition.highWatermark - partition.startOffset;
    const from = partition.startOffset + random.below(span + 1);
    if (random.chance(0.5)) return await readCommitted(model, partition, topic.id, from);
    const bytes = await partition.read(from, 400, true).catch(expected);
    if (bytes) model.sawBytes(partition, topic.id, bytes);
    return;
  }
  if (dice < 0.42) {
    const producer = random.pick(producers.filter(({ version }) => version !== undefined));
    const isDone = producer.unanswered.length === 0 && producer.wrote.size > 0;
    if (isDone) producer.ending ??= random.chance(0.6) ? 'abort' : 'commit';
    else resend(log, model, producer);
    endTransaction(log, model, producer);
    return;
  }
  const senders = producers.filter((producer) => producer.lax === isLax(topic));
  send(log, model, random.pick(senders), partition, topic.id, 1 + random.below(3), random.below(200));
}

async function readCommitted(
  model: LogModel,
  partition: Partition,
  topicId: string,
  from: number,
): Promise<void> {
  const stable = partition.lastStableOffset;
  const bytes = await partition.read(from, 400, true, stable).catch(expected);
  if (!bytes || bytes.length === 0) return;
  let to = from;
  for (const { baseOffset, values } of readBatches(bytes)) to = baseOffset + values.length;
  const aborted = await partition.abortedTransactions(from, to).catch(expected);
  if (aborted) model.sawCommitted(partition, topicId, { bytes, from, stable, aborted });
}

/** Writes what is missing of the markers; the next transaction begins when all are durable. */
function endTransaction(log: DiskLog, model: LogModel, producer: Producer): void {
  const { version, ending, epoch } = producer;
  if (!ending || !version) return;
  const producerEpoch = version === 2 ? epoch + 1 : epoch;
  for (const [key, place] of producer.wrote) {
    const partition = log.topicById(place.topicId)?.partitions[place.partition];
    const done = (): void => {
      // A marker of before, whose answer came late.
      if (producer.ending !== ending || producer.epoch !== epoch || !producer.wrote.delete(key)) return;
      if (producer.wrote.size > 0) return;
      producer.ending = undefined;
      if (version === 2) {
        producer.epoch += 1;
        for (const [at, number] of producer.next) producer.epochStart.set(at, number);
      }
    };
    if (!partition) {
      done();
      continue;
    }
    const marker = {
      producerId: producer.id,
      producerEpoch,
      coordinatorEpoch: 0,
      commit: ending === 'commit',
    };
    try {
      const appended = partition.appendMarker(
        { ...marker, transactionVersion: version },
        log.host.clock.nowMs(),
      );
      appended.durable.then(() => {
        model.of(partition, place.topicId).history.add(appended.baseOffset, encodeMarker(marker, 0));
        done();
      }, expected);
    } catch (error) {
      expected(error);
    }
  }
}

function send(
  log: DiskLog,
  model: LogModel,
  producer: Producer,
  partition: Partition,
  topicId: string,
  count: number,
  padding: number,
): void {
  const key = `${topicId}/${partition.partition}`;
  resend(log, model, producer);
  if (producer.ending) return endTransaction(log, model, producer);
  if (
    producer.unanswered.filter(
      (one) => one.topicId === topicId && one.partition.partition === partition.partition,
    ).length >= 5
  )
    return;
  const number = producer.next.get(key) ?? 0;
  producer.next.set(key, number + count);
  const values = Array.from(
    { length: count },
    (_, i) => `${producer.id}:${number + i}:${'x'.repeat(padding)}`,
  );
  const { id: producerId, epoch } = producer;
  const sequence = number - (producer.epochStart.get(key) ?? 0);
  const sent = { partition, topicId, producerId, epoch, sequence, values };
  if (producer.version) producer.wrote.set(key, { topicId, partition: partition.partition });
  producer.unanswered.push(sent);
  transmit(log, model, producer, sent);
}

const inFlight = new WeakSet<Sent>();

/** What was refused or never answered goes first, in order. */
function resend(log: DiskLog, model: LogModel, producer: Producer): void {
  for (const sent of producer.unanswered) if (!inFlight.has(sent)) transmit(log, model, producer, sent);
}

function transmit(log: DiskLog, model: LogModel, producer: Producer, sent: Sent): void {
  const { partition, values } = sent;
  const batch = recordBatch({
    values,
    producerId: sent.producerId,
    producerEpoch: sent.epoch,
    baseSequence: sent.sequence,
    baseTimestamp: log.host.clock.nowMs(),
    attributes: producer.version ? 0x10 : 0,
  });
  // The log may write into it.
  const history = producer.version ? Buffer.from(batch) : undefined;
  const forget = (): void => {
    producer.unanswered = producer.unanswered.filter((one) => one !== sent);
  };
  try {
    const appended = partition.append(batch, {
      nowMs: log.host.clock.nowMs(),
      origin: 'client',
      transactionVersion: producer.version,
    });
    inFlight.add(sent);
    appended.durable.then(
      () => {
        const known = model.of(partition, sent.topicId);
        for (const [i, value] of values.entries()) known.acknowledged.set(appended.baseOffset + i, value);
        if (producer.lax) {
          const nowMs = log.host.clock.monotonicMs();
          for (const i of values.keys()) known.acknowledgedMs.set(appended.baseOffset + i, nowMs);
        }
        if (history) known.history.add(appended.baseOffset, history);
        forget();
      },
      () => inFlight.delete(sent),
    );
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    if (error.code === 'UNKNOWN_TOPIC_OR_PARTITION') return forget();
    if (error.code === 'KAFKA_STORAGE_ERROR') return;
    // A batch behind one that was refused is out of order until that one is sent again.
    if (error.code === 'OUT_OF_ORDER_SEQUENCE_NUMBER' && behindRefused(producer, sent)) return;
    throw error;
  }
}

function behindRefused(producer: Producer, sent: Sent): boolean {
  return producer.unanswered.some(
    (one) =>
      one !== sent &&
      one.topicId === sent.topicId &&
      one.partition.partition === sent.partition.partition &&
      one.sequence < sent.sequence &&
      !inFlight.has(one),
  );
}

/** After a restart: the same batches to the partitions' new selves. */
function retarget(log: DiskLog, producer: Producer): void {
  producer.unanswered = producer.unanswered.flatMap((sent) => {
    const partition = log.topicById(sent.topicId)?.partitions[sent.partition.partition];
    return partition ? [{ ...sent, partition: partition as Partition }] : [];
  });
}

async function createTopic(
  log: DiskLog,
  model: LogModel,
  name: string,
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const topic = await log.createTopic({ name, partitions: 2, configs }).catch(expected);
  if (topic) model.topics.set(name, topic.id);
}

async function tried(promise: Promise<void>): Promise<boolean> {
  try {
    await promise;
    return true;
  } catch (error) {
    expected(error);
    return false;
  }
}

/** The disk may refuse, a topic may go: anything else is a failure of the run. */
function expected(error: unknown): undefined {
  const fine = ['KAFKA_STORAGE_ERROR', 'UNKNOWN_TOPIC_OR_PARTITION', 'OFFSET_OUT_OF_RANGE', 'ENOSPC', 'EIO'];
  if (error instanceof Error && fine.includes((error as { code?: string }).code ?? '')) return undefined;
  throw error;
}

function loopPass(loop: SimMachine['loop'], durationMs: number): Promise<void> {
  return new Promise((resolve) => void loop.after(durationMs, resolve));
}
