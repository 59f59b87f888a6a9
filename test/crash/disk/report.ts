import type { Finding, Rule } from './found.ts';
import type { Outcomes } from './ledger.ts';
import type { World } from './world.ts';

export interface LoopPlan {
  readonly seed: number;
  /** Kills or cuts. */
  readonly rounds: number;
  readonly maxMs: number;
  readonly recordsPerSecond: number;
  readonly clients?: readonly string[] | undefined;
  /** Of the broker: what makes it break its promises. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onProgress?: (rounds: number, world: World) => void;
}

export interface Report {
  readonly seed: number | string;
  readonly counts: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly producers: ReadonlyMap<string, Outcomes>;
  readonly transactions: Readonly<Record<string, number>>;
  readonly recordsRead: number;
  readonly startsMs: readonly number[];
  readonly findings: readonly Finding[];
  /** Starts that did not come by themselves, and ends that nobody asked for. */
  readonly repairs: number;
  readonly reasons: ReadonlyMap<string, number>;
  readonly skipped: readonly string[];
  readonly clientCrashes: readonly string[];
  readonly kept: string | undefined;
}

export function reportOf(world: World, counts: Record<string, number>, startedMs: number): Report {
  for (const unasked of world.broker.unasked) world.report('stuck', `the broker ${unasked}`);
  return {
    seed: world.run,
    counts,
    seconds: (performance.now() - startedMs) / 1_000,
    producers: world.ledger.outcomes(),
    transactions: world.ledger.transactionStates(),
    recordsRead: world.recordsRead,
    startsMs: world.startsMs,
    findings: world.findings,
    repairs: world.findings.filter(({ rule, says }) => rule === 'stuck' && says.includes('start')).length,
    reasons: world.ledger.reasons,
    skipped: world.skipped,
    clientCrashes: world.clientCrashes,
    kept: world.findings.length > 0 ? world.folder : undefined,
  };
}

/** Records that were acknowledged and are not there, or not as they were. */
export function lostIn({ findings }: Report): number {
  return findings.filter(({ rule }) => LOST.has(rule)).length;
}

const LOST: ReadonlySet<Rule> = new Set<Rule>(['lost', 'changed', 'gap', 'deleted too early']);

/** As lines for people. */
export function printReport(what: string, report: Report): string[] {
  const { counts, seconds, producers, transactions, startsMs, findings } = report;
  const rounds = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  const lines = [`${what}: ${rounds.join(', ')}, ${seconds.toFixed(0)} s, ${report.seed}`];
  for (const [name, { ok, failed, unknown }] of [...producers].toSorted(([a], [b]) => a.localeCompare(b))) {
    lines.push(`  ${name.padEnd(20)} ok ${ok}, failed ${failed}, unknown ${unknown}`);
  }
  lines.push(`  transactions: ${countsOf(transactions)}; records read back: ${report.recordsRead}`);
  const sorted = startsMs.toSorted((a, b) => a - b);
  lines.push(
    `  ${sorted.length} starts: p50 ${percentile(sorted, 0.5)} ms, p99 ${percentile(sorted, 0.99)} ms, most ${percentile(sorted, 1)} ms`,
  );
  const found = (...rules: Rule[]): number => findings.filter(({ rule }) => rules.includes(rule)).length;
  lines.push(
    `  lost ${lostIn(report)}, duplicated ${found('duplicated')}, reordered ${found('reordered')}, ` +
      `invented or damaged ${found('invented', 'damaged', 'written though failed', 'wrong offset')}, ` +
      `transactions torn ${found('torn transaction', 'aborted but read')}, stuck ${found('stuck')}, hand repairs ${report.repairs}`,
  );
  for (const [reason, count] of [...report.reasons].toSorted((a, b) => b[1] - a[1]).slice(0, 12)) {
    lines.push(`  ${count} times ${reason}`);
  }
  for (const crash of new Set(report.clientCrashes)) {
    const times = report.clientCrashes.filter((one) => one === crash).length;
    lines.push(`  ${times} times ${crash.trim().slice(0, 200)}`);
  }
  for (const reason of report.skipped) lines.push(`  without ${reason}`);
  for (const { rule, says } of findings
    .toSorted((a, b) => Number(b.rule === 'stuck') - Number(a.rule === 'stuck'))
    .slice(0, 20))
    lines.push(`  ! ${rule}: ${says}`);
  if (report.kept !== undefined) lines.push(`  what the broker left is kept in ${report.kept}`);
  return lines;
}

export function percentile(sorted: readonly number[], share: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
}

function countsOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
