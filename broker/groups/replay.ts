/** Reads `__consumer_offsets` at the start: what it says is what is true. */
import type { Host } from '../host/host.ts';
import type { ReadRecord } from '../state/record-batch.ts';
import { readCoordinatorRecord } from './coordinator-records.ts';
import type { GroupLog } from './group-log.ts';
import type { GroupTable } from './group-table.ts';
import { groupFromValue, type GroupValue } from './group-value.ts';

export async function replayGroups(log: GroupLog, table: GroupTable, { clock }: Pick<Host, 'clock'>) {
  const values = new Map<string, GroupValue & { stateSinceMs: number }>();
  await log.topic.replay((stored, partition) => {
    if (handedOver(log, stored, partition)) return;
    const record = readCoordinatorRecord(stored);
    switch (record?.kind) {
      case 'offset': {
        const { offsets } = table.getOrMake(record.groupId);
        if (record.value) offsets.set(record.topic, record.partition, record.value);
        else offsets.delete(record.topic, record.partition);
        break;
      }
      case 'group':
        if (record.value) values.set(record.groupId, record.value);
        else values.delete(record.groupId);
        break;
      case undefined:
        log.foreign.add(partition);
        break;
    }
  });
  const nowMs = clock.monotonicMs();
  for (const [groupId, value] of values) {
    const entry = table.getOrMake(groupId);
    entry.group = groupFromValue(entry.group, value, nowMs);
    if (value.stateSinceMs !== -1) entry.stateSinceMs = value.stateSinceMs;
  }
  for (const entry of table.entries.values()) {
    entry.recorded = values.has(entry.groupId) || entry.offsets.size > 0;
    table.arm(entry);
    table.dropIfUnused(entry);
  }
}

function handedOver({ keepers }: GroupLog, stored: ReadRecord, partition: number): boolean {
  if (stored.key === null || stored.key.length < 2) return false;
  const keyVersion = stored.key.readInt16BE(0);
  const keeper = keepers.find((one) => one.takes(stored, keyVersion));
  keeper?.replay(stored, keyVersion, partition);
  return keeper !== undefined;
}
