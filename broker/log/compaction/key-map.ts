import { createHash } from 'node:crypto';

/**
 * The latest offset of every key in the part of a log that is cleaned next: what decides which older records may go.
 * Bounded: when it is full, the cleaning ends in front of the segment that did not fit, and goes on another time.
 */
export class KeyMap {
  readonly #latest = new Map<string, number>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#latest.size;
  }

  /** Offsets must rise. False when there is no room for a new key. */
  put(key: Buffer, offset: number): boolean {
    const name = nameOf(key);
    if (!this.#latest.has(name)) {
      const bytes = name.length + ENTRY_BYTES;
      if (this.#bytes + bytes > this.#bytesMax) return false;
      this.#bytes += bytes;
    }
    this.#latest.set(name, offset);
    return true;
  }

  /** -1 for a key that is not in it. */
  latest(key: Buffer): number {
    return this.#latest.get(nameOf(key)) ?? -1;
  }
}

/** What a string and its place in a map cost beside its characters, about. */
const ENTRY_BYTES = 64;
const LONG_KEY_BYTES = 44;

/** Long keys stand for themselves by a hash, as Kafka's do: two that collide are beyond chance. */
function nameOf(key: Buffer): string {
  if (key.length <= LONG_KEY_BYTES) return key.toString('latin1');
  return `sha256 ${createHash('sha256').update(key).digest('base64')}`;
}
