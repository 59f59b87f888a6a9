// Clients of three families write, copy and read in transactions while the broker is killed at random moments; what
// they saw is judged by the anomalies of logs. MILLRACE_HISTORY_SECONDS makes it longer, MILLRACE_SEED repeats a plan
// (not a timing).
import { expect, test } from 'vitest';

import { checkHistory, countAnomalies, figuresOf } from './check-history.ts';
import { runHistory } from './run-history.ts';

const SECONDS = Number(process.env['MILLRACE_HISTORY_SECONDS'] ?? 30);
const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 1e9));

test('kafkajs, @platformatic/kafka and franz-go with kills: no anomaly that Kafka does not allow', async () => {
  console.log(`seed ${seed} (repeat with MILLRACE_SEED=${seed})`);
  const run = await runHistory({ seed, seconds: SECONDS });
  const findings = checkHistory(run);
  const legal = countAnomalies(findings.filter((one) => one.legal));
  for (const reason of run.skipped) console.log(`without ${reason}`);
  console.log({ kills: run.kills, ...figuresOf(run), legal });
  const figures = figuresOf(run);
  expect(run.kills).toBeGreaterThan(0);
  expect(figures['committed']).toBeGreaterThan(2 * SECONDS);
  expect(figures['aborted']).toBeGreaterThan(0);
  for (const client of ['kafkajs', 'platformatic', ...(run.skipped.length === 0 ? ['franz'] : [])]) {
    const copies = run.operations.filter(
      ({ process, outcome }) => process === `${client}-copy` && outcome === 'ok',
    );
    expect(copies.length, `copies by ${client}`).toBeGreaterThan(0);
  }
  expect(findings.filter((one) => !one.legal)).toEqual([]);
});
