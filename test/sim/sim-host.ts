import type { Host } from '../../broker/host/host.ts';
import type { Log } from '../../broker/host/log.ts';
import { createMetrics } from '../../broker/host/metrics.ts';
import type { Net } from '../../broker/host/net.ts';
import { SimDisk } from './sim-disk.ts';
import { SimFiles } from './sim-files.ts';
import { SimLoop } from './sim-loop.ts';
import { SimRandom } from './sim-random.ts';

export interface SimHost extends Host {
  readonly files: SimFiles;
  /** What was logged, newest last. */
  readonly lines: Array<{ level: string; fields: object; message: string }>;
}

/** A machine by seed: one disk and one clock, on which processes are started one after the other. */
export class SimMachine {
  readonly random: SimRandom;
  readonly loop: SimLoop;
  readonly disk: SimDisk;

  constructor(seed: number, disk?: SimDisk) {
    this.random = new SimRandom(seed);
    this.loop = new SimLoop(this.random);
    this.disk = disk ?? new SimDisk(this.random);
  }

  /** The world of a new process. Whatever the one before still waited for is forgotten. */
  boot(): SimHost {
    this.loop.clear();
    const lines: SimHost['lines'] = [];
    const say =
      (level: string) =>
      (fields: object, message: string): void =>
        void lines.push({ level, fields, message });
    const log: Log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
    const { random } = this;
    return {
      clock: this.loop.clock(),
      timers: this.loop.timers(),
      random: {
        bytes: (length) => random.bytes(length),
        uuid: () => random.uuid(),
        unit: () => random.unit(),
      },
      files: new SimFiles(this.disk, this.loop),
      net: NO_NET,
      metrics: createMetrics(),
      log,
      lines,
    };
  }
}

const NO_NET: Net = {
  listen: () => Promise.reject(new Error('cannot listen: this simulated machine has no network')),
  connect: () => Promise.reject(new Error('cannot connect: this simulated machine has no network')),
};
