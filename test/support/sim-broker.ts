import { brokerConfig } from '../../broker/config.ts';
import { ReadAhead } from '../../broker/fetch/read-ahead.ts';
import { SessionCache } from '../../broker/fetch/session-cache.ts';
import { ReadBuffers } from '../../broker/log/segment/read-buffers.ts';
import type { GroupCoordinator } from '../../broker/groups/coordinator.ts';
import type { DiskLog } from '../../broker/log/disk-log.ts';
import { openDiskLog } from '../../broker/log/open-log.ts';
import type { Partition } from '../../broker/log/partition/partition.ts';
import type { Broker, RequestContext } from '../../broker/server/broker.ts';
import type { Handler } from '../../broker/server/handler.ts';
import { TopicRegistry } from '../../broker/server/topics.ts';
import type { Api } from '../../broker/wire/codec.ts';
import type { Decoded, Encodable, Fields } from '../../broker/wire/schema.ts';
import { type SimHost, SimMachine } from '../sim/sim-host.ts';
import { askHandler } from './ask-handler.ts';

/**
 * Handlers over a log on a simulated machine, without sockets: time passes when the test says so, and the test writes
 * to the log directly. For the handlers of the log alone; there are no groups.
 */
export class SimBroker {
  readonly machine: SimMachine;
  log!: DiskLog;
  may: RequestContext['may'] = () => true;
  readonly #settings: Record<string, number>;
  #whenSent: Array<() => void> = [];
  #broker!: Broker;
  #context!: Omit<RequestContext, 'version'>;

  private constructor(seed: number, settings: Record<string, number>) {
    this.machine = new SimMachine(seed);
    this.#settings = settings;
  }

  static async start(seed: number, settings: Record<string, number> = {}): Promise<SimBroker> {
    const broker = new SimBroker(seed, settings);
    await broker.boot();
    return broker;
  }

  /** A new process on the disk as it is. */
  async boot(): Promise<void> {
    const host = this.machine.boot();
    this.log = await this.machine.loop.settle(
      openDiskLog({ dataDir: '/data', tailBytesMax: 0, reserveBytes: 0, ...this.#settings }, host),
    );
    const config = brokerConfig.parse({ dataDir: '/data', port: 0 });
    const readBuffers = new ReadBuffers();
    this.#broker = {
      config,
      host,
      log: this.log,
      topics: new TopicRegistry(config, this.log, undefined as unknown as GroupCoordinator),
      fetchSessions: new SessionCache(),
      readBuffers,
      readAhead: new ReadAhead(host.timers, readBuffers, host.metrics.counter('ahead', 'Reads, by outcome.')),
      fetchedBytes: host.metrics.counter('fetched', 'Bytes.'),
      stopping: new AbortController().signal,
    } as unknown as Broker;
    this.#context = {
      broker: this.#broker,
      clientId: 'test',
      connection: { closed: new AbortController().signal, fetchTurn: 0 },
      may: (...asked: Parameters<RequestContext['may']>) => this.may(...asked),
      accepted: () => {},
      reserve: () => Promise.resolve(),
      whenSent: (fn: () => void) => void this.#whenSent.push(fn),
      throttle: () => {},
    } as unknown as RequestContext;
  }

  get files(): SimHost['files'] {
    return this.log.host.files as SimHost['files'];
  }

  async topic(name: string, partitions = 1): Promise<Partition[]> {
    await this.machine.loop.settle(this.log.createTopic({ name, partitions, configs: {} }));
    return this.log.topic(name)!.partitions as Partition[];
  }

  /** The answer as the client reads it. */
  ask<S extends Fields, T extends Fields>(
    handler: Handler,
    api: Api<S, T>,
    version: number,
    request: Encodable<S>,
  ): Promise<Decoded<T>> {
    return askHandler(handler, api, request, { ...this.#context, version });
  }

  /** The answers so far have left: what they borrowed is over. */
  sent(): void {
    for (const fn of this.#whenSent.splice(0)) fn();
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.machine.loop.settle(promise);
  }
}
