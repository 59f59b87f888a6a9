import type { PartitionLog } from '../log/log.ts';
import { CODE } from '../wire/errors.ts';

/** KIP-320: whether the client knows the partition's current leader epoch; -1 says that it does not ask. */
export function epochRefusal(log: PartitionLog, currentLeaderEpoch: number): number | undefined {
  if (currentLeaderEpoch < 0 || currentLeaderEpoch === log.leaderEpoch) return undefined;
  return currentLeaderEpoch < log.leaderEpoch ? CODE.FENCED_LEADER_EPOCH : CODE.UNKNOWN_LEADER_EPOCH;
}
