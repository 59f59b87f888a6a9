/**
 * Strings that repeat from record to record (attribute keys, level names, metric names), decoded once.
 *
 * A direct-mapped table: a slot holds the last bytes that hashed to it and their text. It never grows, and a
 * miss costs a decode.
 */
const SLOTS = 2048;
/** Longer strings seldom repeat. */
const LENGTH_MAX = 64;

const keys: Array<Buffer | undefined> = Array.from({ length: SLOTS });
const texts: string[] = Array.from({ length: SLOTS }, () => '');

/** The UTF-8 text of these bytes. */
export function interned(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length === 0) return '';
  if (length > LENGTH_MAX) return bytes.toString('utf8', start, end);
  let hash = length;
  for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
  const slot = (hash ^ (hash >>> 11)) & (SLOTS - 1);
  const key = keys[slot];
  if (key !== undefined && key.length === length) {
    let at = 0;
    while (at < length && key[at] === bytes[start + at]) at += 1;
    if (at === length) return texts[slot]!;
  }
  const text = bytes.toString('utf8', start, end);
  keys[slot] = Buffer.from(bytes.subarray(start, end));
  texts[slot] = text;
  return text;
}
