import { createTopics, endTxn } from '../../../broker/wire/schemas/index.ts';
import { type SimHost, SimMachine } from '../../sim/sim-host.ts';
import { BrokerProcess } from './broker-process.ts';
import { ClassicMember, Committer, ConsumerMember, TopicMaker } from './group-clients.ts';
import { ShareWorker } from './share-worker.ts';
import { type SimClient, TOPICS } from './sim-client.ts';
import { TransactionalProducer } from './transactional-producer.ts';
import { lookAt, type View } from './view.ts';

export interface RunPlan {
  readonly seed: number;
  /** The power fails at this operation of the first life, 0: at none; absent: by chance. */
  readonly cutAt?: number;
  /** Of brokers, each ended by a power cut, a kill or a close. */
  readonly lives: number;
  /** Of each client in each life. */
  readonly actions: number;
}

/** Longer than every transaction may take. */
const AFTERMATH_MS = 3_500;
/** Of the disk in one life that goes to its end, about. */
const OPERATIONS_MAX = 160;
const LIFE_MAX_MS = 60;
const ENDS_MAX = 6;

/** Throws on the first broken promise; returns what can be seen at the end, for comparison by seed. */
export async function runWorkload(
  plan: RunPlan,
): Promise<{ dump: string; operations: number; trace: string }> {
  const world = new World(plan);
  await world.begin();
  let operations = 0;
  for (let life = 0; life < plan.lives; life += 1) {
    operations = await world.live(life === 0 ? plan.cutAt : undefined);
  }
  return { dump: await world.end(), operations, trace: world.trace };
}

class World {
  readonly #plan: RunPlan;
  readonly #machine: SimMachine;
  readonly #clients: readonly SimClient[];
  readonly #worker: ShareWorker;

  constructor(plan: RunPlan) {
    this.#plan = plan;
    this.#machine = new SimMachine(plan.seed);
    const given = new Set<string>();
    this.#worker = new ShareWorker(given);
    this.#clients = [
      new TransactionalProducer('new', 'v2', 3_000, given),
      new TransactionalProducer('old', 'classic', 3_000, given),
      new TransactionalProducer('slow', 'v2', 50, given),
      new TransactionalProducer('slow-old', 'classic', 50, given),
      new Committer(),
      new ClassicMember(),
      new ConsumerMember(),
      new TopicMaker(),
      this.#worker,
    ];
  }

  get trace(): string {
    return this.#machine.disk.trace.hash;
  }

  /** A broker without a past, for the topics that all clients need. */
  async begin(): Promise<void> {
    const { loop } = this.#machine;
    const process = await loop.settle(BrokerProcess.start(this.#machine.boot()));
    const topics = Object.entries(TOPICS).map(([name, numPartitions]) => ({
      name,
      numPartitions,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }));
    await loop.settle(process.ask(createTopics, 7, { topics, timeoutMs: 1_000, validateOnly: false }));
    await loop.settle(process.stop());
  }

  /** The operations of the disk that it took. */
  async live(cutAt: number | undefined): Promise<number> {
    const { random, loop } = this.#machine;
    const host = this.#machine.boot();
    let onAsk = (_key: number): void => {};
    const died = new Promise<void>((resolve) => {
      host.files.onCut = resolve;
      const dice = random.unit();
      if (cutAt !== undefined) host.files.cutAt = cutAt;
      else if (dice < 0.4) host.files.cutAt = 1 + random.below(OPERATIONS_MAX);
      else if (dice < 0.65) onAsk = this.#killInAnEnd(host, resolve);
      else if (dice < 0.8) {
        loop.after(random.unit() * LIFE_MAX_MS, () => {
          host.files.kill();
          resolve();
        });
      }
    });
    await loop.settle(Promise.race([this.#use(host, onAsk), died]));
    if (!host.files.off) {
      if (random.chance(0.5)) host.files.kill();
      else host.files.cut();
    }
    return host.files.operations;
  }

  /** Nothing is asked any more: everything comes to its end. */
  async end(): Promise<string> {
    const { loop } = this.#machine;
    for (const way of ['kill', 'cut'] as const) {
      const host = this.#machine.boot();
      await loop.settle(this.#look(host));
      host.files[way]();
    }
    return await loop.settle(this.#aftermath(this.#machine.boot()));
  }

  /** While the end of a transaction is being written: its first records are there, the others are not. */
  #killInAnEnd({ files }: SimHost, died: () => void): (key: number) => void {
    const { random } = this.#machine;
    let left = 1 + random.below(ENDS_MAX);
    return (key) => {
      if (key !== endTxn.key) return;
      left -= 1;
      if (left > 0) return;
      files.fault = (operation, path) => {
        if (operation !== 'write' || !path.endsWith('.wal')) return undefined;
        files.kill();
        died();
        return { shortBytes: 1 + random.below(600) };
      };
    };
  }

  async #use(host: SimHost, onAsk: BrokerProcess['onAsk']): Promise<void> {
    const process = await this.#look(host);
    process.onAsk = onAsk;
    const { random } = this.#machine;
    await Promise.all(this.#clients.map((client) => client.live(process, random, this.#plan.actions)));
    if (random.chance(0.3)) await process.stop();
  }

  async #look(host: SimHost): Promise<BrokerProcess> {
    const process = await BrokerProcess.start(host);
    await this.#check(process);
    return process;
  }

  async #check(process: BrokerProcess): Promise<View> {
    const view = await lookAt(
      process,
      this.#clients.flatMap(({ groupIds }) => groupIds),
    );
    for (const client of this.#clients) client.check(view);
    return view;
  }

  async #aftermath(host: SimHost): Promise<string> {
    const process = await this.#look(host);
    await this.#worker.drain(process);
    await process.sleep(AFTERMATH_MS);
    const { byWriter, positions } = await this.#check(process);
    for (const { name, partitions } of process.log.topics()) {
      for (const { partition, lastStableOffset, highWatermark } of partitions) {
        if (lastStableOffset === highWatermark) continue;
        throw new Error(`a transaction holds up the readers of ${name}-${partition} for ever`);
      }
    }
    await process.stop();
    const records = [...byWriter.values()].flatMap((some) =>
      some.map(({ place, offset, value, status }) => `${place}@${offset} ${value} ${status}`),
    );
    return [...records, ...[...positions].map(([where, at]) => `${where} ${at}`)].toSorted().join('\n');
  }
}
