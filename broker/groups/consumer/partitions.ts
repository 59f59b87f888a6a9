/** Sets of partitions by topic id: what a member shall have, and what it has. Never changed in place. */

export type Partitions = ReadonlyMap<string, ReadonlySet<number>>;

/** With the epoch in which each partition was assigned: a commit of an older epoch may not touch it. */
export type Assigned = ReadonlyMap<string, ReadonlyMap<number, number>>;

export const NO_PARTITIONS: Partitions = new Map();
export const NONE_ASSIGNED: Assigned = new Map();

export function samePartitions(a: Partitions, b: Partitions): boolean {
  if (a.size !== b.size) return false;
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId);
    if (others?.size !== partitions.size) return false;
    for (const partition of partitions) if (!others.has(partition)) return false;
  }
  return true;
}

/** Whether both name the same partitions; `epochs`: and of the same epochs. */
export function sameAssigned(a: Assigned, b: Assigned, epochs: boolean): boolean {
  if (a.size !== b.size) return false;
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId);
    if (others?.size !== partitions.size) return false;
    for (const [partition, epoch] of partitions) {
      const other = others.get(partition);
      if (other === undefined || (epochs && other !== epoch)) return false;
    }
  }
  return true;
}

/** True when `owned` names nothing outside of `assigned`. */
export function isWithin(owned: Partitions, assigned: Assigned): boolean {
  for (const [topicId, partitions] of owned) {
    const inside = assigned.get(topicId);
    for (const partition of partitions) if (!inside?.has(partition)) return false;
  }
  return true;
}

export function overlaps(owned: Partitions, assigned: Assigned): boolean {
  for (const [topicId, partitions] of owned) {
    const other = assigned.get(topicId);
    if (other) for (const partition of partitions) if (other.has(partition)) return true;
  }
  return false;
}

export function has(assigned: Assigned, topicId: string, partition: number): boolean {
  return assigned.get(topicId)?.has(partition) ?? false;
}

/** Leaves topics without partitions out. */
export class AssignedDraft {
  readonly topics = new Map<string, Map<number, number>>();

  add(topicId: string, partition: number, epoch: number): void {
    let partitions = this.topics.get(topicId);
    if (!partitions) {
      partitions = new Map();
      this.topics.set(topicId, partitions);
    }
    partitions.set(partition, epoch);
  }
}
