import type { LogConfig } from '../../../broker/log/config.ts';
import type { DiskLog } from '../../../broker/log/disk-log.ts';
import type { Partition } from '../../../broker/log/partition/partition.ts';
import { deleteGroups, offsetCommit, offsetFetch } from '../../../broker/wire/schemas/index.ts';
import { type SimHost, SimMachine } from '../../sim/sim-host.ts';
import { recordBatch } from '../../support/record-batch.ts';
import { BrokerProcess } from '../coordinators/broker-process.ts';
import { LogModel } from '../log-model.ts';
import { type Before, type Configs, HoldModel, placeOf } from './hold-model.ts';

export interface RunPlan {
  readonly seed: number;
  /** Of brokers, each ended by a power cut, a kill or a close. */
  readonly lives: number;
  readonly actions: number;
}

const HOUR_MS = 3_600_000;
/** How often retention looks by itself, where it does: every jump of the clock is longer. */
const CHECK_MS = 20_000;
/** Housekeeping takes less, by the clock of the machine. */
const WORK_MS = 100;
const OPERATIONS_MAX = 400;
/** The last one never commits anything. */
const GROUPS = ['a', 'b', 'never'];
const TOPICS = ['h0', 'h1', 'h2'];

/** Throws on the first broken promise. */
export async function runWorkload(plan: RunPlan): Promise<{ dump: string; trace: string }> {
  const world = new World(plan);
  for (let life = 0; life < plan.lives; life += 1) await world.live();
  return { dump: await world.end(), trace: world.trace };
}

/** Groups that are held for, and retention by an injected clock, on a machine whose power fails. */
class World {
  readonly #actions: number;
  readonly #machine: SimMachine;
  readonly #sizes: Partial<LogConfig> & Pick<LogConfig, 'retentionCheckMs' | 'segmentBytes'>;
  readonly #holds: HoldModel;
  readonly #contents = new LogModel();
  /** What processes said since the last one that came up. */
  #lines: Array<SimHost['lines']> = [];
  /** As it was before what was done last: a process may die of it. */
  #before: Before | undefined;
  #nextValue = 0;

  constructor({ seed, actions }: RunPlan) {
    this.#actions = actions;
    this.#machine = new SimMachine(seed);
    const { random } = this.#machine;
    this.#sizes = {
      segmentBytes: random.pick([900, 1_500, 3_000]),
      walFileBytes: random.pick([3_000, 8_000]),
      tailBytesMax: random.pick([0, 100_000]),
      diskBytesMax: random.pick([1e9, 1e9, 24_000, 40_000]),
      retentionCheckMs: random.pick([HOUR_MS, CHECK_MS]),
    };
    this.#holds = new HoldModel(this.#sizes.segmentBytes);
  }

  get #runsByItself(): boolean {
    return this.#sizes.retentionCheckMs === CHECK_MS;
  }

  get trace(): string {
    return this.#machine.disk.trace.hash;
  }

  async live(): Promise<void> {
    const { random, loop } = this.#machine;
    const host = this.#boot();
    const died = new Promise<void>((resolve) => {
      host.files.onCut = resolve;
    });
    if (random.chance(0.7)) host.files.cutAt = 1 + random.below(OPERATIONS_MAX);
    await loop.settle(Promise.race([this.#use(host), died]));
    if (host.files.off) return;
    if (random.chance(0.5)) host.files.kill();
    else host.files.cut();
  }

  /** Two starts, which must see the same. */
  async end(): Promise<string> {
    const dumps: string[] = [];
    for (const way of ['kill', 'cut'] as const) {
      const host = this.#boot();
      const { dump } = await this.#machine.loop.settle(this.#start(host, false));
      dumps.push(dump);
      host.files[way]();
    }
    if (dumps[0] !== dumps[1])
      throw new Error(`a second start sees something else:\n${dumps.join('\n--\n')}`);
    return dumps[0]!;
  }

  #boot(): SimHost {
    const host = this.#machine.boot();
    this.#lines.push(host.lines);
    return host;
  }

  async #use(host: SimHost): Promise<void> {
    const { process } = await this.#start(host, true);
    const { random } = this.#machine;
    for (let i = 0; i < this.#actions; i += 1) {
      this.#before = this.#holds.before(process.log);
      await this.#act(process);
      this.#checkMoves(process.log);
    }
    if (random.chance(0.3)) await process.stop();
  }

  /** Retention may run while groups are not known yet, long after the power went. */
  async #start(host: SimHost, isEarly: boolean): Promise<{ process: BrokerProcess; dump: string }> {
    const { random, loop } = this.#machine;
    const onOpen = async (log: DiskLog): Promise<void> => {
      this.#before ??= this.#holds.before(log);
      this.#checkMoves(log, true);
      this.#before = this.#holds.before(log);
      if (!isEarly || random.chance(0.3)) return;
      if (this.#runsByItself) return await this.#jump(log, 200_000);
      loop.nowMs += random.pick([0, 200_000]);
      await log.keepHouse();
    };
    const process = await BrokerProcess.start(host, { sizes: this.#sizes, onOpen });
    const { log } = process;
    this.#checkMoves(log, true);
    this.#lines = [host.lines];
    this.#holds.settle(log, await positionsOf(process));
    const dump = await this.#contents.verify(log.topics().filter(({ internal }) => !internal));
    return { process, dump };
  }

  #checkMoves(log: DiskLog, isRestart = false): void {
    this.#holds.checkMoves(log, this.#before!, this.#lines.flat(), isRestart);
  }

  async #act(process: BrokerProcess): Promise<void> {
    const { random, loop } = this.#machine;
    const { log } = process;
    const dice = random.unit();
    const missing = TOPICS.filter((name) => !log.topic(name));
    if (missing.length === TOPICS.length || (missing.length > 0 && dice < 0.05)) {
      return await this.#createTopic(log, missing[0]!);
    }
    if (dice < 0.08) return await this.#alter(log);
    if (dice < 0.1) return await this.#deleteBefore(log);
    if (dice < 0.3) return await this.#commit(process);
    if (dice < 0.34) return await this.#deleteGroup(process);
    if (dice < 0.44) return await this.#retain(log);
    if (dice < 0.5) {
      // At once with what changes what is held.
      const other = random.pick([
        () => this.#commit(process),
        () => this.#deleteGroup(process),
        () => this.#alter(log),
        () => this.#append(log),
      ]);
      if (!this.#runsByItself) loop.nowMs += random.pick([0, 30_000]);
      await Promise.all([other(), log.keepHouse()]);
      return;
    }
    await this.#append(log);
  }

  async #createTopic(log: DiskLog, name: string): Promise<void> {
    const configs = this.#randomConfigs();
    const topic = await log.createTopic({ name, partitions: 2, configs });
    this.#holds.settings.set(name, { told: configs, asked: configs });
    this.#contents.topics.set(name, topic.id);
  }

  async #alter(log: DiskLog): Promise<void> {
    const known = [...this.#holds.settings].filter(([name]) => log.topic(name));
    if (known.length === 0) return;
    const [name, settings] = this.#machine.random.pick(known);
    settings.asked = this.#randomConfigs();
    await log.alterConfigs(name, settings.asked);
    settings.told = settings.asked;
  }

  #randomConfigs(): Configs {
    const { random } = this.#machine;
    return {
      'retention.ms': random.pick(['60000', '60000', '-1']),
      'retention.bytes': random.pick(['3000', '-1']),
      'retention.hold.groups': random.pick(['', 'a', 'a', 'a,b', 'b,never']),
      'retention.hold.bytes': random.pick(['4000', '-1']),
    };
  }

  async #deleteBefore(log: DiskLog): Promise<void> {
    const partition = this.#anyPartition(log);
    const { startOffset, highWatermark } = partition;
    const to = startOffset + this.#machine.random.below(highWatermark - startOffset + 1);
    this.#holds.deleting(partition, to);
    await partition.deleteBefore(to);
  }

  /** Mostly forward; some begin again. */
  async #commit(process: BrokerProcess): Promise<void> {
    const { random } = this.#machine;
    const partition = this.#anyPartition(process.log);
    const groupId = random.pick(['a', 'a', 'b']);
    const position = this.#holds.position(groupId, placeOf(partition));
    const { startOffset, highWatermark } = partition;
    const from = random.chance(0.1) ? startOffset : Math.max(startOffset, position.told);
    const left = Math.max(0, highWatermark - from);
    position.asked = random.chance(0.4) ? from + left : from + random.below(left + 1);
    const { topics } = await process.ask(offsetCommit, 9, {
      groupId,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [
        {
          name: partition.topic,
          partitions: [
            {
              partitionIndex: partition.partition,
              committedOffset: position.asked,
              committedMetadata: '',
            },
          ],
        },
      ],
    });
    const { errorCode } = topics[0]!.partitions[0]!;
    if (errorCode !== 0) throw new Error(`cannot commit: got ${errorCode}`);
    position.told = position.asked;
  }

  async #deleteGroup(process: BrokerProcess): Promise<void> {
    const groupId = this.#machine.random.pick(['a', 'b']);
    const positions = process.log
      .partitions()
      .filter(({ topic }) => TOPICS.includes(topic))
      .map((partition) => this.#holds.position(groupId, placeOf(partition)));
    for (const position of positions) position.asked = -1;
    const { results } = await process.ask(deleteGroups, 2, { groupsNames: [groupId] });
    const { errorCode } = results[0]!;
    if (errorCode !== 0 && errorCode !== GROUP_ID_NOT_FOUND)
      throw new Error(`cannot delete ${groupId}: got ${errorCode}`);
    for (const position of positions) position.told = -1;
  }

  /** Time passes; retention runs, when asked or by itself: then it is exact, since nothing waits for its segment. */
  async #retain(log: DiskLog): Promise<void> {
    const { random, loop } = this.#machine;
    const isByItself = this.#runsByItself && random.chance(0.7);
    const isExact = isByItself || random.chance(0.7);
    if (isExact) await log.checkpoint();
    if (isByItself) await this.#jump(log, random.pick([30_000, 70_000]));
    else {
      if (!this.#runsByItself) loop.nowMs += random.pick([0, 30_000, 70_000]);
      await log.keepHouse();
    }
    if (!isExact) return;
    // Less what the work itself took.
    const nowMs = log.host.clock.nowMs() - 2 * WORK_MS;
    this.#holds.checkKept(log, nowMs);
    await this.#holds.checkFiles(log);
    // What retention has answered is not undone.
    for (const topic of log.topics().filter(({ internal }) => !internal)) {
      for (const partition of topic.partitions) {
        const known = this.#contents.of(partition, topic.id);
        known.startMin = Math.max(known.startMin, partition.startOffset);
      }
    }
  }

  /** Wakes retention, once, and waits for it. */
  async #jump(log: DiskLog, ms: number): Promise<void> {
    this.#machine.loop.nowMs += ms;
    await log.host.timers.sleep(WORK_MS);
  }

  async #append(log: DiskLog): Promise<void> {
    const { random } = this.#machine;
    const partition = this.#anyPartition(log);
    const values = Array.from({ length: 1 + random.below(3) }, () => {
      this.#nextValue += 1;
      return `v${this.#nextValue} `.padEnd(random.below(this.#sizes.segmentBytes / 4), 'x');
    });
    const nowMs = log.host.clock.nowMs();
    const batch = recordBatch({ values, baseTimestamp: nowMs });
    const { baseOffset, durable } = partition.append(batch, { nowMs, origin: 'client' });
    this.#holds.appended(partition, baseOffset, values.length, nowMs);
    await durable;
    const { acknowledged } = this.#contents.of(partition, partition.topicId);
    for (const [i, value] of values.entries()) acknowledged.set(baseOffset + i, value);
  }

  #anyPartition(log: DiskLog): Partition {
    const { random } = this.#machine;
    const topics = log.topics().filter(({ internal }) => !internal);
    return random.pick(random.pick(topics).partitions) as Partition;
  }
}

const GROUP_ID_NOT_FOUND = 69;

/** By group and place, as clients are told. */
async function positionsOf(process: BrokerProcess): Promise<Map<string, number>> {
  const { groups } = await process.ask(offsetFetch, 8, {
    groups: GROUPS.map((groupId) => ({ groupId, topics: null })),
  });
  const positions = new Map<string, number>();
  for (const { groupId, topics } of groups) {
    for (const { name, partitions } of topics) {
      for (const { partitionIndex, committedOffset } of partitions)
        positions.set(`${groupId}/${name}-${partitionIndex}`, committedOffset);
    }
  }
  return positions;
}
