import type { PartitionCheckpoint } from '../durable/checkpoint.ts';
import { Epochs } from '../partition/epochs.ts';
import { behindGaps } from '../segment/partition-segments.ts';
import { indexCrcOf, segmentName } from '../segment/segment.ts';
import { decodeIndex, type SegmentIndex } from '../segment/segment-index.ts';
import type { Expectation } from '../segment/segment-scan.ts';
import type { DataDirectory } from './data-directory.ts';
import type { Report } from './finding.ts';
import { verifySegment } from './verify-segment.ts';

export interface PartitionToVerify {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly checkpoint: PartitionCheckpoint;
}

/** Without a checkpoint: every segment that is there, each by itself, as the start reads them then. */
export async function verifyUnnamed(
  { files, path }: DataDirectory,
  { topic, topicId, partition }: Omit<PartitionToVerify, 'checkpoint'>,
  report: Report,
): Promise<void> {
  const folder = `topics/${topicId}/${partition}`;
  for (const name of await files.list(`${path}/${folder}`)) {
    const [, base] = /^(\d{20})(?:-\d+)?\.log$/.exec(name) ?? [];
    if (base === undefined) continue;
    const file = `${folder}/${name}`;
    const bytes = (await files.stat(`${path}/${file}`))?.size ?? 0;
    const facts = { ...NOTHING_KNOWN, base: Number(base), bytes };
    report.files += 1;
    await verifySegment(
      {
        files,
        path: `${path}/${file}`,
        file,
        topic,
        partition,
        facts,
        bytes,
        want: undefined,
        endOffset: Number(base),
        index: undefined,
        aborted: new Map(),
      },
      report,
    );
  }
}

const NOTHING_KNOWN = { maxTimestamp: -1, maxTimestampOffset: -1, firstTimestamp: -1 };

/** Segments that the checkpoint names, their indexes, and files that it does not name. */
export async function verifyPartition(
  directory: DataDirectory,
  { topic, topicId, partition, checkpoint }: PartitionToVerify,
  report: Report,
): Promise<void> {
  const { files, path, isClean } = directory;
  const folder = `topics/${topicId}/${partition}`;
  const epochs = new Epochs(checkpoint.epochs);
  const want: Expectation = {
    epochAt: (offset) => epochs.at(offset),
    firstFrom: (offset) => behindGaps(checkpoint.gaps, offset),
  };
  const aborted = new Map<number, { producerId: number }>();
  const { aborted: rows = [], segments } = checkpoint;
  for (let at = 0; at < rows.length; at += 4) aborted.set(rows[at + 2]!, { producerId: rows[at]! });
  const about = { topic, partition };
  const named = new Set<string>();
  for (const [i, facts] of segments.entries()) {
    const name = segmentName(facts.base, facts.generation);
    const file = `${folder}/${name}.log`;
    named.add(name);
    const size = (await files.stat(`${path}/${file}`))?.size;
    const endOffset = segments[i + 1]?.base ?? checkpoint.endOffset;
    const isMissing = size === undefined && facts.bytes > 0;
    if (isMissing || (size ?? 0) < facts.bytes) {
      report.add({
        ...about,
        severity: 'damage',
        file,
        position: size ?? 0,
        bytes: facts.bytes - (size ?? 0),
        firstOffset: facts.base,
        lastOffset: endOffset - 1,
        problem: isMissing
          ? `got no such file, want ${facts.bytes} bytes as the checkpoint says`
          : `got ${size} bytes, want ${facts.bytes} as the checkpoint says`,
        consequence:
          'what is missing is cut off and stays a gap; a new epoch tells consumers that offsets behind it are others',
      });
    }
    if (!size) continue;
    report.files += 1;
    const isActive = i === segments.length - 1;
    const index = isActive
      ? undefined
      : await verifyIndex(directory, { ...about, folder, name, facts }, report);
    await verifySegment(
      {
        ...about,
        files,
        path: `${path}/${file}`,
        file,
        facts,
        bytes: Math.min(size, facts.bytes),
        want,
        endOffset,
        index,
        aborted,
      },
      report,
    );
  }
  noteGaps({ topic, topicId, partition, checkpoint }, report);
  for (const name of await files.list(`${path}/${folder}`)) {
    const isKnownKind = /^\d{20}(-\d+)?\.(log|index|timeindex)$/.test(name);
    if (named.has(name.slice(0, name.lastIndexOf('.')))) continue;
    // A crash leaves files that no checkpoint names yet, or any more; what they hold comes again from elsewhere.
    if (isKnownKind && (!isClean || directory.checkpoint === undefined)) continue;
    report.add({
      ...about,
      severity: 'note',
      file: `${folder}/${name}`,
      problem: 'got a file that the checkpoint does not name',
      consequence: 'is removed',
    });
  }
}

/** Offsets that an earlier start found to be lost, where no damage that is still there says so. */
function noteGaps({ topic, topicId, partition, checkpoint }: PartitionToVerify, report: Report): void {
  const { segments, gaps, startOffset, endOffset } = checkpoint;
  for (const [from, to] of gaps) {
    const i = segments.findLastIndex(({ base }) => base <= from);
    const segment = segments[i];
    if (to <= startOffset || !segment) continue;
    const isTold = report.findings.some(
      (one) =>
        one.severity === 'damage' &&
        one.topic === topic &&
        one.partition === partition &&
        (one.firstOffset ?? Number.POSITIVE_INFINITY) < to &&
        (one.lastOffset ?? -1) >= from,
    );
    if (isTold) continue;
    const isAtEnd = to >= (segments[i + 1]?.base ?? endOffset);
    report.add({
      severity: 'note',
      file: `topics/${topicId}/${partition}/${segmentName(segment.base, segment.generation)}.log`,
      topic,
      partition,
      firstOffset: from,
      lastOffset: to - 1,
      problem: isAtEnd
        ? 'these offsets are lost since an earlier start: they stood at the end of this segment, which was cut, or in a file of the write-ahead log that is gone'
        : 'these offsets are lost since an earlier start: they stood in a file of the write-ahead log that is gone',
      consequence: 'stays a gap: readers go on behind it',
    });
  }
}

/** The index, where its files are what the checkpoint says; what is not is made again when it is needed. */
async function verifyIndex(
  { files, path }: DataDirectory,
  {
    folder,
    name,
    facts,
    ...about
  }: {
    folder: string;
    name: string;
    facts: PartitionCheckpoint['segments'][number];
    topic: string;
    partition: number;
  },
  report: Report,
): Promise<SegmentIndex | undefined> {
  const offsets = await files.readFile(`${path}/${folder}/${name}.index`);
  const times = await files.readFile(`${path}/${folder}/${name}.timeindex`);
  if (facts.indexCrc === undefined) return undefined;
  const rebuilt = (file: string, problem: string): void =>
    report.add({
      ...about,
      severity: 'rebuilt',
      file,
      problem,
      consequence: 'the index is made again from the segment when it is first used',
    });
  for (const [suffix, bytes] of [
    ['index', offsets],
    ['timeindex', times],
  ] as const) {
    if (bytes) {
      report.files += 1;
      report.read(bytes.length);
    } else rebuilt(`${folder}/${name}.${suffix}`, 'got no such file');
  }
  if (!offsets || !times) return undefined;
  if (indexCrcOf(offsets, times) === facts.indexCrc) {
    return decodeIndex(facts.base, facts.bytes, offsets, times);
  }
  // Which of the two it is, only their entries can tell, if they can.
  rebuilt(`${folder}/${name}.index`, 'this or .timeindex is not as it was written: their checksum differs');
  return undefined;
}
