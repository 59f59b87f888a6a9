import { FetchSession } from './fetch-session.ts';

export interface SessionBounds {
  /** Kafka's `max.incremental.fetch.session.cache.slots`. */
  readonly slotsMax: number;
  /** Kafka's two minutes: unused for so long, a session goes to whoever asks; younger than that, none goes to a larger. */
  readonly idleMs: number;
  /** Of all sessions together, about 300 B each: clients choose how many they follow. */
  readonly partitionsMax: number;
}

export const SESSION_BOUNDS: SessionBounds = { slotsMax: 1_000, idleMs: 120_000, partitionsMax: 200_000 };

/** The fetch sessions there are. Where there is no room for one, its client goes on without: that is always right. */
export class SessionCache {
  evicted = 0;
  readonly #bounds: SessionBounds;
  /** Longest unused first. */
  readonly #sessions = new Map<number, FetchSession>();
  /** As of when each was last used. */
  readonly #sizes = new Map<number, number>();
  #partitions = 0;

  constructor(bounds: SessionBounds = SESSION_BOUNDS) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get partitions(): number {
    return this.#partitions;
  }

  get(id: number): FetchSession | undefined {
    return this.#sessions.get(id);
  }

  /** A session for `size` partitions, to be filled and then `touch`ed; undefined when there is no room. */
  create(size: number, byId: boolean, nowMs: number, randomId: () => number): FetchSession | undefined {
    if (this.#partitions + size > this.#bounds.partitionsMax) return undefined;
    if (this.#sessions.size >= this.#bounds.slotsMax && !this.#evict(size, nowMs)) return undefined;
    let id = randomId();
    while (id === 0 || this.#sessions.has(id)) id = randomId();
    const session = new FetchSession(id, byId, nowMs);
    this.#sessions.set(id, session);
    return session;
  }

  /** The session was used, and may have other partitions than before; false when these are too many, and it is gone. */
  touch(session: FetchSession, nowMs: number): boolean {
    this.remove(session.id);
    const { size } = session.partitions;
    if (this.#partitions + size > this.#bounds.partitionsMax) return false;
    session.lastUsedMs = nowMs;
    this.#sessions.set(session.id, session);
    this.#sizes.set(session.id, size);
    this.#partitions += size;
    return true;
  }

  remove(id: number): void {
    this.#sessions.delete(id);
    this.#partitions -= this.#sizes.get(id) ?? 0;
    this.#sizes.delete(id);
  }

  /** The longest unused if it is stale; else the smallest of those that are no longer young, if it is smaller. */
  #evict(size: number, nowMs: number): boolean {
    const { idleMs } = this.#bounds;
    let victim: FetchSession | undefined;
    for (const oldest of this.#sessions.values()) {
      if (nowMs - oldest.lastUsedMs > idleMs) victim = oldest;
      break;
    }
    if (!victim) {
      for (const one of this.#sessions.values()) {
        if (one.lastUsedMs - one.createdMs <= idleMs) continue;
        if (!victim || isSmaller(one, victim)) victim = one;
      }
      if (victim && victim.partitions.size >= size) victim = undefined;
    }
    if (!victim) return false;
    this.remove(victim.id);
    this.evicted += 1;
    return true;
  }
}

function isSmaller(one: FetchSession, other: FetchSession): boolean {
  const difference = one.partitions.size - other.partitions.size;
  return difference < 0 || (difference === 0 && one.id < other.id);
}
