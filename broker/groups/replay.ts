/** Reads `__consumer_offsets` at the start: what it says is what is true. */
import type { Host } from '../host/host.ts';
import type { ReadRecord } from '../state/record-batch.ts';
import { ConsumerReplay, resumed } from './consumer/consumer-replay.ts';
import { readCoordinatorRecord } from './coordinator-records.ts';
import type { GroupLog } from './group-log.ts';
import type { GroupTable } from './group-table.ts';
import type { PendingOffsets } from './pending-offsets.ts';
import { groupFromValue, type GroupValue } from './group-value.ts';
import { emptyGroup } from './group.ts';

/** `sessionTimeoutMs` is what members of KIP-848 groups have to show up again. */
export async function replayGroups(
  log: GroupLog,
  table: GroupTable,
  pending: PendingOffsets,
  { clock }: Pick<Host, 'clock'>,
  sessionTimeoutMs: (groupId: string) => number,
): Promise<void> {
  const consumers = new ConsumerReplay();
  const values = new Map<string, GroupValue & { stateSinceMs: number }>();
  await log.topic.replay((stored, partition) => {
    if (handedOver(log, stored, partition)) return;
    if (consumers.apply(stored)) return;
    const record = readCoordinatorRecord(stored);
    switch (record?.kind) {
      case 'offset': {
        const { offsets } = table.getOrMake(record.groupId);
        pending.overtake(record.groupId, record.topic, record.partition);
        if (record.value) offsets.set(record.topic, record.partition, record.value);
        else offsets.delete(record.topic, record.partition);
        break;
      }
      case 'group':
        if (record.value) values.set(record.groupId, record.value);
        else values.delete(record.groupId);
        break;
      // Of a later version or another kind: stays where it is.
      case undefined:
        break;
    }
  });
  const nowMs = clock.monotonicMs();
  for (const [groupId, value] of values) {
    const entry = table.getOrMake(groupId);
    entry.group = groupFromValue(emptyGroup(groupId), value, nowMs);
    if (value.stateSinceMs !== -1) entry.stateSinceMs = value.stateSinceMs;
  }
  for (const group of consumers.groups()) {
    table.getOrMake(group.groupId).group = resumed(group, nowMs, sessionTimeoutMs(group.groupId));
  }
  for (const entry of table.entries.values()) {
    const { groupId, group, offsets } = entry;
    entry.recorded = values.has(groupId) || group.type === 'consumer' || offsets.size > 0;
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
