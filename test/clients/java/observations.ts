/** What scenarios saw: scenario → step → result, as the Java side writes it, one JSON line a step. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Difference } from './differences.ts';

export type Observations = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Kafka's answers as last recorded, by client. `MILLRACE_TEST_TARGET=kafka MILLRACE_TEST_RECORD=1` records anew. */
const RECORD = join(import.meta.dirname, 'kafka-4.4.json');

export function readObservations(lines: string): Observations {
  const all: Record<string, Record<string, string>> = {};
  for (const line of lines.split('\n')) {
    if (!line.startsWith('{')) continue;
    const { scenario, step, result } = JSON.parse(line) as Record<'scenario' | 'step' | 'result', string>;
    (all[scenario] ??= {})[step] = result;
  }
  return all;
}

/** Of all scenarios, or of those of some families. */
export function recordedObservations(client: string, families?: readonly string[]): Observations {
  const all = Object.entries(allRecorded()[client] ?? {});
  return Object.fromEntries(
    all.filter(([scenario]) => families === undefined || families.includes(familyOf(scenario))),
  );
}

/** Takes the place of what was recorded of the same families. */
export function recordObservations(client: string, observations: Observations): void {
  const all = allRecorded();
  const families = new Set(Object.keys(observations).map(familyOf));
  const others = Object.entries(all[client] ?? {}).filter(([scenario]) => !families.has(familyOf(scenario)));
  const now = { ...all, [client]: { ...Object.fromEntries(others), ...observations } };
  writeFileSync(RECORD, `${JSON.stringify(sorted(now), null, 2)}\n`);
}

/** Where two brokers answered differently, one line each, beside what is known and has a reason. */
export function unexplained(
  client: string,
  ours: Observations,
  kafkas: Observations,
  known: readonly Difference[],
): string[] {
  const lines: string[] = [];
  const used = new Set<Difference>();
  for (const scenario of new Set([...Object.keys(ours), ...Object.keys(kafkas)])) {
    const here = ours[scenario] ?? {};
    const there = kafkas[scenario] ?? {};
    const brokeOff = here['end'] !== undefined && there['end'] === undefined;
    for (const step of new Set([...Object.keys(there), ...Object.keys(here)])) {
      if (here[step] === there[step]) continue;
      // What comes behind the error that ended a scenario is not told again.
      if (brokeOff && here[step] === undefined) continue;
      const reason = known.find(
        (one) =>
          one.scenario === scenario &&
          (one.step === '*' || one.step === step) &&
          (one.client ?? client) === client,
      );
      if (reason) used.add(reason);
      else
        lines.push(
          `${scenario} / ${step}: ours ${here[step] ?? '(nothing)'}, Kafka's ${there[step] ?? '(nothing)'}`,
        );
    }
  }
  for (const one of known) {
    const applies = (one.client ?? client) === client && (one.scenario in ours || one.scenario in kafkas);
    if (applies && !used.has(one))
      lines.push(`${one.scenario} / ${one.step}: differs no longer, take it from the list`);
  }
  return lines;
}

function familyOf(scenario: string): string {
  return scenario.split(':')[0]!;
}

function allRecorded(): Record<string, Observations> {
  return existsSync(RECORD) ? (JSON.parse(readFileSync(RECORD, 'utf8')) as Record<string, Observations>) : {};
}

/** By name on the first two levels, since families run side by side; steps stay in their order. */
function sorted(all: Record<string, Observations>): Record<string, Observations> {
  const byName = <T>(value: Record<string, T>): Array<[string, T]> =>
    Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(byName(all).map(([client, one]) => [client, Object.fromEntries(byName(one))]));
}
