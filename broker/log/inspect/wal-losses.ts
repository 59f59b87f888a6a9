import type { FileHandle } from '../../host/files.ts';
import { damagedEntryPlace, ENTRY_HEAD_BYTES } from '../wal/wal-entry.ts';
import { walPath } from '../wal/wal-scan.ts';
import type { Finding, Report } from './finding.ts';

/** Where something stands in the write-ahead log. */
export interface WalPlace {
  readonly number: number;
  readonly position: number;
}

interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

type PlaceOf = (topicId: string, partition: number) => TopicPartition | undefined;

/** Acknowledged bytes that are not what was written, or a file that is not there. */
interface Loss extends WalPlace {
  /** Undefined: all of the file. */
  readonly bytes: number | undefined;
  /** Beyond the end of the file. */
  readonly isCut: boolean;
  /** Whose batch it was, where that can be told. */
  readonly of: TopicPartition | undefined;
  /** What it held, as it says itself or as the gap in its partition says. */
  offsets: OffsetRange | undefined;
}

interface OffsetRange {
  readonly first: number;
  readonly last: number;
}

/** Offsets of a partition that neither the segments nor any entry has. */
export interface WalGap extends TopicPartition, OffsetRange {
  /** The entry behind it, and the one of the partition in front of it, if there is one. */
  readonly behind: WalPlace;
  readonly front: WalPlace | undefined;
}

/** Named one by one. */
const NAMED_MAX = 5;

/**
 * What of the write-ahead log cannot be read, and which offsets are missing in the partitions: each gap is put down to
 * what held it, once all files were read.
 */
export class WalLosses {
  readonly #placeOf: PlaceOf;
  readonly #losses: Loss[] = [];
  readonly #gaps: WalGap[] = [];

  constructor(placeOf: PlaceOf) {
    this.#placeOf = placeOf;
  }

  missing(number: number): void {
    this.#losses.push({
      number,
      position: 0,
      bytes: undefined,
      isCut: false,
      of: undefined,
      offsets: undefined,
    });
  }

  /** A range of a file: the entries in it one by one, as far as their frames can still be told. */
  async damaged(
    handle: FileHandle,
    size: number,
    { number, position }: WalPlace,
    bytes: number,
  ): Promise<void> {
    const end = position + bytes;
    for (let at = position; at < end;) {
      const head = Buffer.alloc(ENTRY_HEAD_BYTES);
      const there = head.subarray(0, await handle.read(head, at));
      const said = damagedEntryPlace(there, at, number);
      const of = said ? this.#placeOf(said.topicId, said.partition) : this.#claimed(there);
      // Of one that was torn nothing tells how many records it had.
      const offsets =
        of && said && there.length === ENTRY_HEAD_BYTES
          ? { first: said.baseOffset, last: said.endOffset - 1 }
          : undefined;
      const until = said ? Math.min(end, at + said.bytes) : end;
      this.#losses.push({ number, position: at, bytes: until - at, isCut: at >= size, of, offsets });
      at = until;
    }
  }

  gap(gap: WalGap): void {
    this.#gaps.push(gap);
  }

  tell(report: Report): void {
    const left = this.#gaps.flatMap((gap) => this.#explained(gap));
    for (const loss of this.#losses) if (loss.bytes !== undefined) report.add(findingOf(loss, loss.bytes));
    for (const gap of left) report.add(this.#findingOf(gap));
  }

  /** What is left of a gap when each batch that says of itself that it stood there is taken out. */
  #explained(gap: WalGap): WalGap[] {
    const between = this.#between(gap).filter(
      ({ of }) => of?.topic === gap.topic && of.partition === gap.partition,
    );
    const left: WalGap[] = [];
    let first = gap.first;
    const known = between.flatMap(({ offsets }) => offsets ?? []);
    for (const range of known.toSorted((a, b) => a.first - b.first)) {
      if (range.last < first || range.first > gap.last) continue;
      if (range.first > first) left.push({ ...gap, first, last: range.first - 1 });
      first = range.last + 1;
    }
    if (first <= gap.last) left.push({ ...gap, first });
    // One that only says whose it was held the rest.
    for (const loss of between) {
      if (loss.offsets || left.length === 0) continue;
      const { first: from, last } = left.shift()!;
      loss.offsets = { first: from, last };
    }
    return left;
  }

  /** What is lost between the last entry of the partition and the next: what is missing stood there. */
  #between({ front, behind }: WalGap): Loss[] {
    return this.#losses.filter((loss) => isBefore(loss, behind) && (!front || isBefore(front, loss)));
  }

  #findingOf(gap: WalGap): Finding {
    const { topic, partition, first, last, behind } = gap;
    const suspects = this.#between(gap)
      .filter(({ offsets }) => !offsets)
      .toSorted((a, b) => a.number - b.number || a.position - b.position);
    const named = suspects.slice(0, NAMED_MAX).map(nameOf);
    if (suspects.length > NAMED_MAX) named.push(`${suspects.length - NAMED_MAX} more`);
    const held =
      named.length === 0
        ? 'nothing in the directory tells what held them'
        : named.length === 1
          ? `${named[0]} held them`
          : `one or more of these held them: ${named.join('; ')}`;
    return {
      severity: 'damage',
      file: walPath('wal', behind.number),
      position: behind.position,
      topic,
      partition,
      firstOffset: first,
      lastOffset: last,
      problem: `these offsets stand neither in the segments nor in front of this entry: ${held}`,
      consequence: 'they stay a gap',
    };
  }

  /** What a frame says of which more is wrong than a bit, where that is a partition that exists. */
  #claimed(head: Buffer): TopicPartition | undefined {
    if (head.length < 40) return undefined;
    const id = head.toString('hex', 20, 36);
    const uuid = `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
    return this.#placeOf(uuid, head.readUInt32BE(36));
  }
}

function findingOf({ number, position, isCut, of, offsets }: Loss, bytes: number): Finding {
  return {
    severity: 'damage',
    file: walPath('wal', number),
    position,
    bytes,
    ...of,
    ...(of && offsets ? { firstOffset: offsets.first, lastOffset: offsets.last } : {}),
    problem: isCut
      ? `got the end of the file, want ${bytes} more bytes as the next file's header says`
      : 'got an entry whose checksums do not hold, with acknowledged ones behind it',
    consequence: 'the batches there are lost, unless the segments have them; a new epoch tells consumers',
  };
}

function isBefore(a: WalPlace, b: WalPlace): boolean {
  return a.number < b.number || (a.number === b.number && a.position < b.position);
}

function nameOf({ number, position, bytes }: Loss): string {
  const file = walPath('wal', number);
  return bytes === undefined
    ? `${file}, which is missing,`
    : `${bytes} damaged bytes of ${file} at byte ${position}`;
}
