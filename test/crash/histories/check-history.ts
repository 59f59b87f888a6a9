import type { Anomaly, Finding } from './anomalies.ts';
import { checkCycles, checkPolls, checkSends } from './check-order.ts';
import { checkAcknowledged, checkGroups, checkPlaces, checkReads, checkTorn } from './check-records.ts';
import { type History, polled, sends } from './history.ts';
import { IndexedHistory } from './indexed-history.ts';

/** Everything that Kafka's promises, or a reader's hopes, say against this history. Operations in order of time. */
export function checkHistory(history: History): Finding[] {
  const indexed = new IndexedHistory(history);
  return [
    checkPlaces,
    checkAcknowledged,
    checkReads,
    checkTorn,
    checkGroups,
    checkSends,
    checkPolls,
    checkCycles,
  ].flatMap((check) => check(indexed));
}

/** How often each was found. */
export function countAnomalies(findings: readonly Finding[]): Partial<Record<Anomaly, number>> {
  const counts: Partial<Record<Anomaly, number>> = {};
  for (const { anomaly } of findings) counts[anomaly] = (counts[anomaly] ?? 0) + 1;
  return counts;
}

/** How much there was to judge. */
export function figuresOf({ operations }: History): Record<string, number> {
  const transactions = operations.filter(({ transactional }) => transactional);
  const ended = (outcome: string): number => transactions.filter((one) => one.outcome === outcome).length;
  return {
    operations: operations.length,
    transactions: transactions.length,
    committed: ended('ok'),
    aborted: ended('failed'),
    unknown: ended('unknown'),
    sends: operations.reduce((sum, operation) => sum + sends(operation).length, 0),
    'records polled': operations.reduce((sum, operation) => sum + polled(operation).length, 0),
    'worst lag, ms': Math.round(worstLagMs(operations)),
  };
}

/** From the end of a commit to the first time that a reader of committed records got one of its records. */
function worstLagMs(operations: History['operations']): number {
  const firstReadMs = new Map<string, number>();
  for (const { session, endMs, ...operation } of operations) {
    if (session?.isolation !== 'read_committed') continue;
    for (const { value } of polled({ ...operation, endMs })) {
      firstReadMs.set(value, Math.min(endMs, firstReadMs.get(value) ?? Infinity));
    }
  }
  let worst = 0;
  for (const operation of operations) {
    if (operation.outcome !== 'ok') continue;
    for (const { value } of sends(operation)) {
      worst = Math.max(worst, (firstReadMs.get(value) ?? operation.endMs) - operation.endMs);
    }
  }
  return worst;
}
