import type { DiskLog } from '../../broker/log/disk-log.ts';
import type { Appended, AppendOptions, PartitionLog } from '../../broker/log/log.ts';
import { openDiskLog } from '../../broker/log/open-log.ts';
import type { Partition } from '../../broker/log/partition/partition.ts';
import { type SimHost, SimMachine } from './sim-host.ts';

type Config = Parameters<typeof openDiskLog>[0];

/** What is durable is read from the segments, not from memory, and the disk holds nothing but data. */
const CONFIG: Config = { dataDir: '/data', tailBytesMax: 0, reserveBytes: 0 };

export const NOW_MS = 1_700_000_000_000;
export const CLIENT = { nowMs: NOW_MS, origin: 'client' } as const;

/** A log on a simulated machine. Its topic `t` has one partition, which most tests are about. */
export class SimLog {
  readonly machine: SimMachine;
  readonly config: Config;
  host: SimHost;
  log: DiskLog;

  private constructor(machine: SimMachine, config: Config, host: SimHost, log: DiskLog) {
    this.machine = machine;
    this.config = config;
    this.host = host;
    this.log = log;
  }

  static async open(seed: number, given: Partial<Config> = {}): Promise<SimLog> {
    const machine = new SimMachine(seed);
    const config = { ...CONFIG, ...given };
    const host = machine.boot();
    return new SimLog(machine, config, host, await machine.loop.settle(openDiskLog(config, host)));
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.machine.loop.settle(promise);
  }

  async close(): Promise<void> {
    await this.settle(this.log.close());
  }

  /** Ends the process in order, by a kill, or with the power; then opens the log again, with other settings if given. */
  async restart(how: 'close' | 'kill' | 'cut', given: Partial<Config> = {}): Promise<void> {
    if (how === 'close') await this.close();
    else this.host.files[how]();
    await this.reopen(given);
  }

  /** In a new process, of the one before nothing runs any more. */
  async reopen(given: Partial<Config> = {}): Promise<void> {
    this.host = this.machine.boot();
    this.log = await this.settle(openDiskLog({ ...this.config, ...given }, this.host));
  }

  /** Makes the topic `t`. */
  async createTopic(configs: Readonly<Record<string, string>> = {}): Promise<Partition> {
    await this.settle(this.log.createTopic({ name: 't', partitions: 1, configs }));
    return this.partition;
  }

  /** That of the topic `t`; another object after a restart. */
  get partition(): Partition {
    return this.log.topic('t')!.partitions[0] as Partition;
  }

  /** Resolves when the batch is durable. */
  async append(partition: PartitionLog, batch: Buffer, options: AppendOptions = CLIENT): Promise<Appended> {
    const appended = partition.append(batch, options);
    await this.settle(appended.durable);
    return appended;
  }
}
