import type { PartitionLog } from '../../../broker/log/log.ts';
import { fetch, offsetFetch } from '../../../broker/wire/schemas/index.ts';
import { markerIn, readBatches } from '../../support/record-batch.ts';
import type { BrokerProcess } from './broker-process.ts';

/** What is in the log, and what became of the transaction that wrote it. */
export interface SeenRecord {
  readonly place: string;
  readonly offset: number;
  readonly value: string;
  status: 'plain' | 'open' | 'committed' | 'aborted';
}

/** What the world can see of a broker at one time. */
export interface View {
  /** By who wrote them: what stands before the `:` in the value. */
  readonly byWriter: ReadonlyMap<string, readonly SeenRecord[]>;
  /** -1 for none. */
  readonly positions: ReadonlyMap<string, number>;
  readonly topicIds: ReadonlyMap<string, string>;
}

/** Waits until what was being ended is ended; throws where readers and log disagree. */
export async function lookAt(process: BrokerProcess, groupIds: readonly string[]): Promise<View> {
  await endsAreOver(process);
  checkOpenTransactions(process);
  const byWriter = new Map<string, SeenRecord[]>();
  const topics = process.log.topics().filter(({ internal }) => !internal);
  for (const { partitions } of topics) {
    for (const partition of partitions) {
      const records = await readChecked(process, partition);
      for (const record of records) {
        const writer = record.value.slice(0, record.value.indexOf(':'));
        const known = byWriter.get(writer);
        if (known) known.push(record);
        else byWriter.set(writer, [record]);
      }
    }
  }
  const topicIds = new Map(topics.map(({ name, id }) => [name, id]));
  return { byWriter, positions: await positionsOf(process, groupIds), topicIds };
}

async function endsAreOver(process: BrokerProcess): Promise<void> {
  for (let i = 0; i < 1_000; i += 1) {
    const states = [...process.broker.transactions.list()].map(({ value }) => value.state);
    if (!states.some((state) => state.startsWith('Prepare'))) return;
    await process.sleep(1);
  }
  throw new Error('a transaction is being ended for ever');
}

/** Whatever is open in a partition is open for the coordinator too, which will end it. */
function checkOpenTransactions(process: BrokerProcess): void {
  const known = new Map(
    [...process.broker.transactions.list()].map(({ value }) => [value.producerId, value]),
  );
  for (const { name, partitions } of process.log.topics()) {
    for (const partition of partitions) {
      for (const { producerId, transactionStartOffset } of partition.activeProducers()) {
        if (transactionStartOffset < 0) continue;
        const value = known.get(producerId);
        if (value?.state !== 'Ongoing' || !value.partitions.has(`${partition.partition}/${name}`)) {
          throw new Error(`a transaction of ${producerId} hangs in ${name}-${partition.partition}`);
        }
      }
    }
  }
}

/** From the batches and markers themselves. */
async function readAll(partition: PartitionLog): Promise<SeenRecord[]> {
  const place = `${partition.topic}-${partition.partition}`;
  const records: SeenRecord[] = [];
  const open = new Map<number, SeenRecord[]>();
  for (let next = partition.startOffset; next < partition.highWatermark;) {
    const bytes = await partition.read(next, 1_000_000, true);
    if (bytes.length === 0) throw new Error(`${place} has nothing at ${next}`);
    for (const batch of batchesIn(bytes)) {
      const producerId = Number(batch.readBigInt64BE(43));
      const baseOffset = Number(batch.readBigInt64BE(0));
      next = baseOffset + batch.readInt32BE(23) + 1;
      const marker = markerIn(batch);
      if (marker) {
        const status = marker === 'commit' ? 'committed' : 'aborted';
        for (const record of open.get(producerId) ?? []) record.status = status;
        open.delete(producerId);
        continue;
      }
      const isTransactional = (batch.readInt16BE(21) & 0x10) !== 0;
      for (const [i, value] of readBatches(batch)[0]!.values.entries()) {
        const status = isTransactional ? 'open' : 'plain';
        const record: SeenRecord = { place, offset: baseOffset + i, value, status };
        records.push(record);
        if (isTransactional) open.set(producerId, [...(open.get(producerId) ?? []), record]);
      }
    }
  }
  return records;
}

/** Transactions that nobody ends are aborted meanwhile: what was read before and behind that is not compared. */
async function readChecked(process: BrokerProcess, partition: PartitionLog): Promise<readonly SeenRecord[]> {
  for (;;) {
    const stable = partition.lastStableOffset;
    const records = await readAll(partition);
    const got = await readCommitted(process, partition);
    if (partition.lastStableOffset !== stable) continue;
    checkReader(partition, records, got);
    return records;
  }
}

/** A client that reads committed records gets just those, up to the first that is open. */
function checkReader(partition: PartitionLog, records: readonly SeenRecord[], got: readonly string[]): void {
  const firstOpen = records.find(({ status }) => status === 'open')?.offset ?? Number.POSITIVE_INFINITY;
  const want = records
    .filter(({ offset, status }) => offset < firstOpen && status !== 'aborted')
    .map(({ value }) => value);
  if (got.join() !== want.join()) {
    const where = `${partition.topic}-${partition.partition}`;
    throw new Error(`${where}: a reader gets [${got.join()}], the log has [${want.join()}]`);
  }
}

/** As clients do it: an aborted producer's batches are skipped up to its abort marker. */
async function readCommitted(
  process: BrokerProcess,
  { topic, partition }: PartitionLog,
): Promise<readonly string[]> {
  const values: string[] = [];
  for (let fetchOffset = 0; ;) {
    const { responses } = await process.ask(fetch, 11, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 10_000_000,
      isolationLevel: 1,
      topics: [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: 10_000_000 }] }],
    });
    const { records, abortedTransactions } = responses[0]!.partitions[0]!;
    if (!records || records.length === 0) return values;
    const coming = (abortedTransactions ?? []).toSorted((a, b) => a.firstOffset - b.firstOffset);
    const skipping = new Set<number>();
    for (const batch of batchesIn(records)) {
      const producerId = Number(batch.readBigInt64BE(43));
      const baseOffset = Number(batch.readBigInt64BE(0));
      while (coming[0] && coming[0].firstOffset <= baseOffset) skipping.add(coming.shift()!.producerId);
      const marker = markerIn(batch);
      if (marker === 'abort') skipping.delete(producerId);
      if (!marker && !skipping.has(producerId)) values.push(...readBatches(batch)[0]!.values);
      fetchOffset = baseOffset + batch.readInt32BE(23) + 1;
    }
  }
}

async function positionsOf(
  process: BrokerProcess,
  groupIds: readonly string[],
): Promise<Map<string, number>> {
  const { groups } = await process.ask(offsetFetch, 8, {
    groups: groupIds.map((groupId) => ({ groupId, topics: null })),
  });
  return new Map(
    groups.flatMap(({ groupId, topics }) =>
      topics.flatMap(({ name, partitions }) =>
        partitions.map(
          ({ partitionIndex, committedOffset }) =>
            [`${groupId}/${name}-${partitionIndex}`, committedOffset] as const,
        ),
      ),
    ),
  );
}

function* batchesIn(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at + 61 <= bytes.length;) {
    const end = at + 12 + bytes.readInt32BE(at + 8);
    if (end > bytes.length) return;
    yield bytes.subarray(at, end);
    at = end;
  }
}
