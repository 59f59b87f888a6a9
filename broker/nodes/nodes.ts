/**
 * The nodes that one process plays, so that clients meet on one machine what they meet in a cluster: leaders and
 * coordinators to look for, answers of the wrong node, a node that goes away and returns. All of them share one log
 * and one memory; only who speaks for what is told apart. Leaders and coordinators are spread by hash; what belongs
 * to a node that is away belongs to the next one that runs.
 */
import assert from 'node:assert/strict';

import type { ListenerSettings } from '../config.ts';
import type { Address } from '../host/net.ts';
import {
  OFFSETS_TOPIC,
  partitionOf,
  SHARE_STATE_TOPIC,
  TRANSACTIONS_TOPIC,
} from '../state/internal-topic.ts';

export interface NodeEndpoint extends Address {
  readonly nodeId: number;
}

/** Key types of FindCoordinator, and the topic whose leaders are their coordinators. */
export const COORDINATOR_TOPICS: Readonly<Record<number, string>> = {
  0: OFFSETS_TOPIC,
  1: TRANSACTIONS_TOPIC,
  2: SHARE_STATE_TOPIC,
};

/** What tests do to one node of several. */
export interface NodeControl {
  /** Closes its ports and connections; what it led and coordinated moves to the others. */
  stop(nodeId: number): Promise<void>;
  /** Opens its ports again; what was its own comes back. */
  start(nodeId: number): Promise<void>;
}

export class Nodes {
  readonly ids: readonly number[];
  private readonly running: Set<number>;
  private readonly ports = new Map<string, number>();

  constructor(firstId: number, count: number) {
    this.ids = Array.from({ length: count }, (_, i) => firstId + i);
    this.running = new Set(this.ids);
  }

  isRunning(nodeId: number): boolean {
    return this.running.has(nodeId);
  }

  /** Remembers where a node listens. */
  opened(listener: string, nodeId: number, port: number): void {
    this.ports.set(placeOf(listener, nodeId), port);
  }

  portOf(listener: string, nodeId: number): number | undefined {
    return this.ports.get(placeOf(listener, nodeId));
  }

  setRunning(nodeId: number, isRunning: boolean): void {
    assert(this.ids.includes(nodeId), `cannot stop or start node ${nodeId}: want one of ${this.ids.join()}`);
    if (isRunning) this.running.add(nodeId);
    else this.running.delete(nodeId);
  }

  /** Where those that run are reached through this listener. */
  endpoints({ name, advertisedPort }: ListenerSettings, host: string): NodeEndpoint[] {
    return this.ids
      .filter((nodeId) => this.running.has(nodeId))
      .map((nodeId) => ({
        nodeId,
        host,
        port:
          advertisedPort === undefined ? this.portOf(name, nodeId)! : advertisedPort + nodeId - this.ids[0]!,
      }));
  }

  get controllerId(): number {
    return this.firstRunning(0);
  }

  leaderOf(topic: string, partition: number): number {
    return this.firstRunning(partitionOf(topic, this.ids.length) + partition);
  }

  /** The leader of the partition that holds the key's records. */
  coordinatorOf(keyType: number, key: string, partitions: number): number {
    return this.leaderOf(COORDINATOR_TOPICS[keyType] ?? OFFSETS_TOPIC, partitionOf(key, partitions));
  }

  private firstRunning(from: number): number {
    for (let i = 0; i < this.ids.length; i += 1) {
      const nodeId = this.ids[(from + i) % this.ids.length]!;
      if (this.running.has(nodeId)) return nodeId;
    }
    return this.ids[0]!;
  }
}

function placeOf(listener: string, nodeId: number): string {
  return `${listener}/${nodeId}`;
}
