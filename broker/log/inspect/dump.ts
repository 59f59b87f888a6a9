import type { Files } from '../../host/files.ts';
import { baseOffsetOf, batchSizeOf, lastOffsetOf } from '../batch/batch-header.ts';
import { segmentName } from '../segment/segment.ts';
import { scanBatches } from '../segment/segment-scan.ts';
import { findBatchBehind } from '../segment/segment-resync.ts';
import { decodeWalHeader, FRAME_BYTES, WAL_HEADER_BYTES } from '../wal/wal-entry.ts';
import { readWalChain } from '../wal/wal-chain.ts';
import { listWal, walPath, WalScan } from '../wal/wal-scan.ts';
import { batchFields, type Fields, recordFields } from './batch-line.ts';
import {
  CannotInspect,
  findDataDirectory,
  openDataDirectory,
  partitionCheckpoint,
} from './data-directory.ts';
import { choose } from './verify.ts';

export interface DumpPlan {
  readonly records?: boolean;
  /** Batches in all, or entries of an index. */
  readonly limit?: number | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Of each key, value and header; what is longer is cut and its length said. */
  readonly bytesMax?: number;
}

/** One line of a dump: a heading, or named values. Records are `inner` lines below their batch. */
export interface DumpLine {
  readonly kind: 'file' | 'batch' | 'record' | 'entry' | 'text' | 'broken';
  readonly fields: Fields;
}

/** What of a key or a value is shown. */
const BYTES_SHOWN_MAX = 1_000;

/** A file of a data directory as lines, by what its name says it is. @throws CannotInspect */
export async function* dumpFile(files: Files, path: string, plan: DumpPlan): AsyncGenerator<DumpLine> {
  const stat = await files.stat(path);
  if (!stat || stat.isDirectory) {
    throw new CannotInspect(`cannot dump ${path}: got ${stat ? 'a directory' : 'no such file'}`);
  }
  yield { kind: 'file', fields: { file: path, size: stat.size } };
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name.endsWith('.log')) yield* dumpSegment(files, path, stat.size, plan);
  else if (name.endsWith('.wal')) yield* dumpWal(files, path, stat.size, plan);
  else if (name.endsWith('.index')) yield* dumpIndex(files, path, plan, 8);
  else if (name.endsWith('.timeindex')) yield* dumpIndex(files, path, plan, 12);
  else if (/\.(json|properties)$/.test(name) || name === 'clean-shutdown') {
    const content = (await files.readFile(path))?.toString('utf8') ?? '';
    yield { kind: 'text', fields: { content: content.replace(/\n$/, '') } };
  } else if (name === 'reserve')
    yield { kind: 'text', fields: { content: 'noise, to be given up on a full disk' } };
  else {
    throw new CannotInspect(
      `cannot dump ${path}: want a .log, .index, .timeindex, .wal or .json file of a data directory`,
    );
  }
}

/**
 * A partition as a start would find it: what its checkpoint says of its segments, then what the write-ahead log has
 * behind. @throws CannotInspect
 */
export async function* dumpPartition(
  files: Files,
  place: { readonly path: string; readonly topic: string; readonly partition: number },
  plan: DumpPlan,
): AsyncGenerator<DumpLine> {
  const path = await findDataDirectory(files, place.path);
  const directory = await openDataDirectory(files, path);
  const [chosen] = choose(directory, place);
  const { topicId, partition } = chosen!;
  const checkpoint = partitionCheckpoint(directory, topicId, partition);
  const { from = 0, to = Infinity } = plan;
  let left = plan.limit ?? Infinity;
  for (const [i, facts] of checkpoint.segments.entries()) {
    const end = checkpoint.segments[i + 1]?.base ?? checkpoint.endOffset;
    if (end <= from || facts.base > to || facts.bytes === 0) continue;
    const name = `${path}/topics/${topicId}/${partition}/${segmentName(facts.base, facts.generation)}.log`;
    yield { kind: 'file', fields: { file: name, size: facts.bytes } };
    for await (const line of dumpSegment(files, name, facts.bytes, { ...plan, limit: left })) {
      if (line.kind === 'batch') left -= 1;
      yield line;
    }
    if (left <= 0) return;
  }
  const numbers = (await listWal(files, `${path}/wal`)).filter(
    (file) => file >= (directory.checkpoint?.walFile ?? 0),
  );
  const { ends } = await readWalChain(files, `${path}/wal`, numbers);
  let next = checkpoint.endOffset;
  for (const number of numbers) {
    const file = walPath(`${path}/wal`, number);
    const size = (await files.stat(file))?.size;
    // A broker that runs removed it meanwhile.
    if (size === undefined) continue;
    const handle = await files.open(file, 'read');
    try {
      let isNamed = false;
      for await (const entries of new WalScan({
        handle,
        size,
        file: number,
        limit: ends.get(number),
      }).entries()) {
        for (const { topicId: id, partition: of, batch, position } of entries) {
          if (id !== topicId || of !== partition || baseOffsetOf(batch) < next) continue;
          next = lastOffsetOf(batch) + 1;
          if (next <= from || baseOffsetOf(batch) > to) continue;
          if (left <= 0) return;
          left -= 1;
          if (!isNamed) yield { kind: 'file', fields: { file, size } };
          isNamed = true;
          yield* batchLines(batch, position + FRAME_BYTES, plan);
        }
      }
    } finally {
      await handle.close();
    }
  }
}

async function* dumpSegment(
  files: Files,
  path: string,
  end: number,
  { limit = Infinity, from = 0, to = Infinity, ...plan }: DumpPlan,
): AsyncGenerator<DumpLine> {
  const file = await files.open(path, 'read');
  let left = limit;
  let lowestOffset = 0;
  try {
    for (let at = 0; at < end && left > 0;) {
      const gathered: Array<{ batch: Buffer; position: number }> = [];
      const gather = (bytes: Buffer, within: number, size: number, position: number): boolean => {
        gathered.push({ batch: Buffer.from(bytes.subarray(within, within + size)), position });
        return position + size < at + PIECE_BYTES;
      };
      const reached = await scanBatches(file, at, Math.min(end, at + PIECE_BYTES), gather);
      // Nothing whole in the piece: a larger batch, or none.
      if (gathered.length === 0) await scanBatches(file, at, end, (...batch) => gather(...batch) && false);
      for (const { batch, position } of gathered) {
        at = position + batch.length;
        if (lastOffsetOf(batch) < from || baseOffsetOf(batch) > to) continue;
        const lines = [...batchLines(batch, position, plan)];
        if (lines[0]!.fields['isvalid'] === true) lowestOffset = lastOffsetOf(batch) + 1;
        yield* lines;
        if ((left -= 1) <= 0) return;
      }
      if (gathered.length > 0 || reached >= end) continue;
      const behind = (await findBatchBehind(file, { position: at, lowestOffset, limit: end })) ?? end;
      yield { kind: 'broken', fields: { position: at, size: behind - at, problem: 'no batch' } };
      at = behind;
    }
  } finally {
    await file.close();
  }
}

/** Batches that are held at once. */
const PIECE_BYTES = 1024 * 1024;

async function* dumpWal(
  files: Files,
  path: string,
  size: number,
  { limit = Infinity, ...plan }: DumpPlan,
): AsyncGenerator<DumpLine> {
  const handle = await files.open(path, 'read');
  try {
    const head = Buffer.alloc(WAL_HEADER_BYTES);
    const header = decodeWalHeader(head.subarray(0, await handle.read(head, 0)));
    if (header) yield { kind: 'entry', fields: { ...header } };
    else yield { kind: 'broken', fields: { position: 0, size: WAL_HEADER_BYTES, problem: 'no header' } };
    const file = header?.file ?? Number(/(\d{20})\.wal$/.exec(path)?.[1] ?? 0);
    const scan = new WalScan({ handle, size, file, limit: undefined });
    let left = limit;
    for await (const entries of scan.entries()) {
      for (const { topicId, partition, batch, synced, position: framePosition } of entries) {
        if ((left -= 1) < 0) return;
        const [first, ...records] = batchLines(batch, framePosition + FRAME_BYTES, plan);
        yield {
          kind: 'batch',
          fields: { topicId, partition, framePosition, synced, ...first!.fields },
        };
        yield* records;
      }
    }
    for (const { position, bytes } of scan.damage) {
      const problem = 'damaged, with acknowledged entries behind it';
      yield { kind: 'broken', fields: { position, size: bytes, problem } };
    }
    if (scan.tornBytes > 0) {
      yield {
        kind: 'broken',
        fields: { position: scan.end, size: scan.tornBytes, problem: 'torn tail' },
      };
    }
  } finally {
    await handle.close();
  }
}

function* batchLines(batch: Buffer, position: number, plan: DumpPlan): Generator<DumpLine> {
  const fields = batchFields(batch, position);
  yield { kind: 'batch', fields };
  if (!plan.records || fields['isvalid'] !== true) return;
  try {
    for (const one of recordFields(batch, plan.bytesMax ?? BYTES_SHOWN_MAX))
      yield { kind: 'record', fields: one };
  } catch (error) {
    yield {
      kind: 'broken',
      fields: { position, size: batchSizeOf(batch), problem: (error as Error).message },
    };
  }
}

/** `.index` has rows of 8 bytes, `.timeindex` of 12. */
async function* dumpIndex(
  files: Files,
  path: string,
  { limit = Infinity }: DumpPlan,
  width: 8 | 12,
): AsyncGenerator<DumpLine> {
  const bytes = (await files.readFile(path)) ?? Buffer.alloc(0);
  const base = Number(/(\d{20})(?:-\d+)?\.\w+$/.exec(path)?.[1] ?? 0);
  for (let at = 0; at + width <= bytes.length && at / width < limit; at += width) {
    const fields: Fields =
      width === 8
        ? { offset: base + bytes.readUInt32BE(at), position: bytes.readUInt32BE(at + 4) }
        : { timestamp: Number(bytes.readBigInt64BE(at)), offset: base + bytes.readUInt32BE(at + 8) };
    yield { kind: 'entry', fields };
  }
  const rest = bytes.length % width;
  if (rest > 0)
    yield { kind: 'broken', fields: { position: bytes.length - rest, size: rest, problem: 'half an entry' } };
}
