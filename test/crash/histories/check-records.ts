/** What single records tell: lost, twice, aborted, from nowhere. */
import { type Finding, finding } from './anomalies.ts';
import { type Operation, polled, sends } from './history.ts';
import type { IndexedHistory } from './indexed-history.ts';

export function checkPlaces({ places, values }: IndexedHistory): Finding[] {
  const found: Finding[] = [];
  for (const [place, some] of values) {
    if (some.size > 1) found.push(finding('inconsistent-offsets', `${[...some].join(', ')} at ${place}`));
  }
  for (const [value, some] of places) {
    if (some.size > 1) found.push(finding('duplicate', `${value} at ${[...some].join(', ')}`));
  }
  return found;
}

export function checkAcknowledged(history: IndexedHistory): Finding[] {
  const found: Finding[] = [];
  for (const [value, { operation, send }] of history.writes) {
    if (operation.outcome !== 'ok' || history.read.has(value)) continue;
    const said = `${value} of ${operation.process}, acknowledged at ${send.partition}:${send.offset ?? '?'}`;
    const readTo = history.readTo.get(send.partition) ?? -1;
    if (send.offset !== undefined && send.offset < readTo) found.push(finding('lost-write', said));
    else if (history.complete) found.push(finding('unseen', said));
  }
  return found;
}

export function checkReads(history: IndexedHistory): Finding[] {
  const found: Finding[] = [];
  const accused = new Set<string>();
  for (const reader of history.operations) {
    const own = new Set(reader.transactional ? sends(reader).map(({ value }) => value) : []);
    const committed = reader.session?.isolation === 'read_committed';
    for (const { value, partition, offset } of polled(reader)) {
      const says = `${value} at ${partition}:${offset}, read by ${reader.process}`;
      const write = history.writes.get(value);
      if (own.has(value) && committed) found.push(finding('precommitted-read', says));
      if (accused.has(value)) continue;
      const { outcome } = write?.operation ?? {};
      const anomaly = write === undefined ? 'phantom' : outcome === 'failed' && committed ? 'G1a' : undefined;
      if (!anomaly) continue;
      accused.add(value);
      found.push(finding(anomaly, says));
    }
  }
  return found;
}

/** A transaction with a certain end is judged by its records; of the others at least all or nothing is known. */
export function checkTorn(history: IndexedHistory): Finding[] {
  if (!history.complete) return [];
  return history.operations.flatMap((operation) => {
    if (operation.outcome !== 'unknown' || !operation.transactional) return [];
    const values = sends(operation).map(({ value }) => value);
    const missing = values.filter((value) => !history.read.has(value));
    if (missing.length === 0 || missing.length === values.length) return [];
    const says = `${operation.process}: of ${values.join(', ')} only ${missing.join(', ')} are missing`;
    return [finding('torn-transaction', says)];
  });
}

/** Positions in transactions: every record of a group is consumed by one committed transaction. */
export function checkGroups(history: IndexedHistory): Finding[] {
  const found: Finding[] = [];
  const groups = new Map<string, Map<string, Operation>>();
  for (const operation of history.operations) {
    if (operation.group === undefined || !history.happened(operation)) continue;
    const consumed = groups.get(operation.group) ?? new Map<string, Operation>();
    groups.set(operation.group, consumed);
    for (const { partition, offset, value } of polled(operation)) {
      const place = `${partition}:${offset}`;
      const earlier = consumed.get(place);
      const says = `${value} at ${place}, by ${earlier?.process} and ${operation.process}`;
      if (earlier && earlier !== operation) found.push(finding('consumed-twice', says));
      consumed.set(place, operation);
    }
  }
  for (const [group, consumed] of groups) found.push(...gaps(history, group, new Set(consumed.keys())));
  return found;
}

function gaps(history: IndexedHistory, group: string, consumed: ReadonlySet<string>): Finding[] {
  const found: Finding[] = [];
  for (const [partition, offsets] of history.committedOffsets()) {
    let last = -1;
    for (const offset of offsets) if (consumed.has(`${partition}:${offset}`)) last = offset;
    for (const offset of offsets) {
      if (offset >= last || consumed.has(`${partition}:${offset}`)) continue;
      const value = history.valueAt(partition, offset);
      found.push(finding('consumed-gap', `${value} at ${partition}:${offset}, group ${group}`));
    }
  }
  return found;
}
