import { spawnSync } from 'node:child_process';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type OurBroker, startOurBroker } from '../java/our-broker.ts';
import { runProgram } from '../run-program.ts';

/**
 * franz-go's own integration tests, as its authors run them against Apache Kafka: chains of groups that are joined and
 * left while they copy, by every assignor, in both protocols, with transactions, and by share groups.
 */
const TESTS = [
  'TestGroupSimple',
  'TestGroupETL',
  'TestTxnEtl',
  'TestShareGroup',
  'TestShareGroupETL',
  'TestShareGroupAckOnClose',
  'TestShareGroupOffsetsAdmin',
];
const RECORDS = 5_000;
const DEADLINE_MS = 400_000;

const problem = missing();
if (problem !== undefined) console.log(`skipped: franz-go's own tests: ${problem}`);

describe.skipIf(problem !== undefined)('franz-go', () => {
  let broker: OurBroker;
  beforeAll(async () => {
    broker = await startOurBroker();
  });
  afterAll(() => broker?.stop());

  test('passes its own integration tests', async () => {
    const environment = {
      KGO_SEEDS: broker.bootstrap,
      KGO_LOG_LEVEL: 'none',
      KGO_TEST_RF: '1',
      KGO_TEST_RECORDS: String(RECORDS),
      KGO_TEST_MAX_TOPIC_PARTS: '7',
    };
    const names = `^(${TESTS.join('|')})$`;
    const args = ['test', 'github.com/twmb/franz-go/pkg/kgo', '-run', names, '-count=1', '-v'];
    const options = { cwd: import.meta.dirname, environment };
    const output = await runProgram('go', args, DEADLINE_MS, options).catch((error: Error) => error.message);
    const results = [...output.matchAll(/^--- (PASS|FAIL|SKIP): (\w+)/gm)].map(
      ([, how, name]) => `${name} ${how}`,
    );
    const said = output.split('\n').filter((line) => /_test\.go:\d+: (?!deleting)/.test(line));
    const want = TESTS.map((name) => `${name} PASS`).toSorted();
    expect({
      results: results.toSorted(),
      said: results.some((one) => !one.endsWith('PASS')) ? said.slice(-20) : [],
    }).toEqual({
      results: want,
      said: [],
    });
  });
});

function missing(): string | undefined {
  if (spawnSync('go', ['version']).error) return 'go is not installed';
  const options = { cwd: import.meta.dirname, encoding: 'utf8' } as const;
  const built = spawnSync('go', ['vet', 'github.com/twmb/franz-go/pkg/kgo'], options);
  return built.status === 0 ? undefined : `its modules cannot be had: ${built.stderr.trim().slice(-300)}`;
}
