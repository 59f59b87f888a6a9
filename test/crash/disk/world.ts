/** A broker under load, the producers' journals, and readers that audit it: what every loop here works on. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createTopics } from '../../../broker/wire/schemas/index.ts';
import type { RawClient } from '../../support/raw-client.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { BrokerChild } from './broker-child.ts';
import { type Finding, Found } from './found.ts';
import { Journals } from './journals.ts';
import { judge, judgeAgain } from './judge.ts';
import { Ledger } from './ledger.ts';
import { type LoadClient, loadClients, LoadProcess } from './load-clients.ts';
import { endTransactions, LogReader, type TopicPlan, untilStable } from './log-reader.ts';

const KIB = 1024;
const PARTITIONS = 2;
const SEGMENT_BYTES = 256 * KIB;
/** Kept so small that a reading of everything takes a fifth of a second, after each restart. */
const RETENTION_BYTES = 3 * 1024 * KIB;
/** Unacknowledged batches that retention counted and the crash took. */
const RETENTION_SLACK_BYTES = 512 * KIB;
/** Transactions that nobody ends hold up readers until then: clients ask for 10 s. */
/** More, and there is no load to speak of. */
const CLIENT_CRASHES_MAX = 50;
const STABLE_TIMEOUT_MS = 15_000;

export const TOPICS: readonly TopicPlan[] = [
  { name: 'kept', partitions: PARTITIONS, isCompacted: false, retentionBytes: RETENTION_BYTES },
  { name: 'latest', partitions: PARTITIONS, isCompacted: true },
];

export interface WorldPlan {
  readonly seed: number;
  readonly recordsPerSecond: number;
  /** Default: all there are. */
  readonly clients?: readonly string[] | undefined;
  /** On the disk under test. */
  readonly dataDir?: string;
  readonly settings?: object;
  readonly prefix?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export class World {
  readonly folder: string;
  readonly random: () => number;
  readonly ledger = new Ledger();
  readonly journals: Journals;
  readonly run: string;
  readonly broker: BrokerChild;
  readonly skipped: readonly string[];
  readonly findings: Finding[] = [];
  readonly startsMs: number[] = [];
  /** Clients that fell over their own faults: what they had under way is unknown, and others follow them. */
  readonly clientCrashes: string[] = [];
  #finished = false;
  /** Records that readers took, all readings together. */
  recordsRead = 0;
  readonly #loads: LoadProcess[] = [];
  readonly #plan: WorldPlan;
  #followers: LogReader[];

  private constructor(plan: WorldPlan, folder: string, broker: BrokerChild) {
    this.#plan = plan;
    this.folder = folder;
    this.broker = broker;
    this.random = seededRandom(plan.seed);
    this.run = `run${plan.seed}`;
    this.journals = new Journals(join(folder, 'journals'), this.ledger);
    this.skipped = loadClients(plan.clients).skipped;
    this.#followers = this.#readers('following', true);
  }

  /** The broker, its topics, and the clients at work. */
  static async start(plan: WorldPlan): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-disk-'));
    mkdirSync(join(folder, 'journals'));
    const broker = await BrokerChild.make({
      dataDir: plan.dataDir ?? join(folder, 'data'),
      settingsFile: join(folder, 'broker.yaml'),
      settings: plan.settings ?? settingsOf(seededRandom(plan.seed)),
      ...(plan.prefix && { prefix: plan.prefix }),
      ...(plan.environment && { environment: plan.environment }),
    });
    const world = new World(plan, folder, broker);
    world.startsMs.push(await broker.start());
    await makeTopics(broker);
    world.#load();
    return world;
  }

  get dataDir(): string {
    return this.#plan.dataDir ?? join(this.folder, 'data');
  }

  get transactionalIds(): readonly string[] {
    return this.#loads.map(({ transactionalId }) => transactionalId);
  }

  get names(): readonly string[] {
    return this.#loads.map(({ name }) => name);
  }

  /** Starts the broker again, with settings of its own, and reads what came since. Undefined: it did not start. */
  async restart(): Promise<number | undefined> {
    try {
      this.broker.configure(this.#plan.settings ?? settingsOf(this.random));
      const tookMs = await this.broker.start();
      this.startsMs.push(tookMs);
      return tookMs;
    } catch (error) {
      this.report('stuck', `a start that needs a person: ${String(error)}`);
      return undefined;
    }
  }

  /** What was acknowledged by now must be found from now on by those that read as they go. */
  async follow(): Promise<void> {
    const since = this.journals.read();
    await this.#read(this.broker, this.#followers);
    this.#judge(this.#followers, since);
  }

  /** Reads everything from the start, also against what was read before. */
  async readAll(since = this.journals.read(), broker = this.broker, isLive = true): Promise<void> {
    const readers = this.#readers('all', isLive);
    await this.#read(broker, readers);
    this.#judge(readers, since);
    const [uncommitted] = readers;
    judgeAgain(this.#followers[0]!.found, uncommitted!.found, uncommitted!);
    this.#checkRetention(uncommitted!);
    this.#keep(readers);
  }

  /** The same when nobody produces: whatever transactions are open are ended first. */
  async readSettled(since: number, broker = this.broker): Promise<void> {
    const client = await broker.connect();
    try {
      await endTransactions(client, this.transactionalIds, STABLE_TIMEOUT_MS);
      await untilStable(client, TOPICS, STABLE_TIMEOUT_MS);
    } catch (error) {
      this.report('stuck', `transactions cannot be ended: ${String(error)}`);
    }
    client.close();
    await this.readAll(since, broker, false);
  }

  /** Ends the load and judges the whole. */
  async finish(): Promise<void> {
    this.#finished = true;
    await Promise.all(this.#loads.map((load) => load.stop()));
    if (this.clientCrashes.length > CLIENT_CRASHES_MAX) this.report('stuck', this.clientCrashes.join('\n'));
    if (!this.broker.running) return;
    await this.follow();
    await this.readSettled(this.journals.read());
  }

  async close(): Promise<void> {
    this.#finished = true;
    await Promise.all(this.#loads.map((load) => load.stop()));
    await this.broker.stop();
    this.journals.close();
    if (this.findings.length === 0) rmSync(this.folder, { recursive: true, force: true });
    else writeFileSync(join(this.folder, 'broker.log'), this.broker.output);
  }

  report(rule: Finding['rule'], says: string): void {
    this.findings.push({ rule, says });
  }

  #load(): void {
    const { seed, recordsPerSecond, clients } = this.#plan;
    const launch = (client: LoadClient, life: number): void => {
      const plan = {
        address: this.broker.address,
        journals: this.journals.folder,
        run: this.run,
        seed,
        recordsPerSecond,
        partitions: PARTITIONS,
        topics: TOPICS.map(({ name }) => name),
        suffix: life === 1 ? '' : `-${life}`,
      };
      const load = new LoadProcess(client, plan);
      this.#loads.push(load);
      void load.ended.then(() => {
        if (load.failure === undefined) return;
        this.clientCrashes.push(load.failure);
        if (!this.#finished && life <= CLIENT_CRASHES_MAX) launch(client, life + 1);
      });
    };
    for (const client of loadClients(clients).clients) launch(client, 1);
  }

  #readers(kind: string, isLive: boolean): LogReader[] {
    return (['read_uncommitted', 'read_committed'] as const).map(
      (isolation) => new LogReader(isolation, TOPICS, new Found(this.run, `${kind} ${isolation}`), isLive),
    );
  }

  async #read(broker: BrokerChild, readers: readonly LogReader[]): Promise<void> {
    let client: RawClient | undefined;
    try {
      client = await broker.connect();
      for (const reader of readers) await reader.readToEnd(client);
    } catch (error) {
      this.report('stuck', `cannot be read: ${String(error)}`);
    } finally {
      client?.close();
    }
  }

  #judge(readers: readonly LogReader[], since: number): void {
    // What came while it was read may be there.
    this.journals.read();
    for (const reader of readers) {
      judge(this.ledger, reader.found, reader.isolation, reader, since);
      this.findings.push(...reader.found.findings.splice(0));
    }
  }

  #keep(readers: readonly LogReader[]): void {
    for (const { found } of readers) {
      this.recordsRead += found.records;
      this.findings.push(...found.findings.splice(0));
    }
  }

  #checkRetention(reader: LogReader): void {
    for (const { name, partitions, retentionBytes } of TOPICS) {
      if (retentionBytes === undefined) continue;
      for (let partition = 0; partition < partitions; partition += 1) {
        const bytes = reader.bytes(name, partition);
        if (reader.start(name, partition) > 0 && bytes < retentionBytes - RETENTION_SLACK_BYTES) {
          this.report(
            'deleted too early',
            `${name}-${partition}: ${bytes} bytes are left, want ${retentionBytes}`,
          );
        }
      }
    }
  }
}

/** Sizes at which segments roll, checkpoints run and retention deletes within seconds; and now and then the defaults. */
export function settingsOf(random: () => number): object {
  const walFileBytes = [256, 512, 2 * KIB, 64 * KIB][Math.floor(random() * 4)]! * KIB;
  return {
    walFileBytes,
    segmentBytes: SEGMENT_BYTES,
    logRetentionCheckIntervalMs: 100 + Math.floor(random() * 400),
    logCleanerBackoffMs: 100 + Math.floor(random() * 400),
  };
}

async function makeTopics(broker: BrokerChild): Promise<void> {
  const client = await broker.connect();
  const { topics } = await client.call(createTopics, 7, {
    topics: TOPICS.map(({ name, partitions, isCompacted, retentionBytes }) => ({
      name,
      numPartitions: partitions,
      replicationFactor: 1,
      assignments: [],
      configs: Object.entries({
        'max.message.bytes': '65536',
        ...(isCompacted
          ? { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.1' }
          : { 'retention.bytes': String(retentionBytes ?? -1) }),
      }).map(([key, value]) => ({ name: key, value })),
    })),
  });
  client.close();
  for (const { name, errorCode, errorMessage } of topics) {
    if (errorCode !== 0) throw new Error(`cannot create ${name}: got ${errorCode} ${errorMessage}`);
  }
}
