import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { compareOthersWithKafka } from '../java/compare-with-kafka.ts';
import { readObservations } from '../java/observations.ts';
import { runProgram } from '../run-program.ts';

const DIRECTORY = import.meta.dirname;
const BINARY = join(DIRECTORY, '../../../build/go/clients');
const DEADLINE_MS = 180_000;

/** A few at a time: they wait more than they work, but each wants an answer within its deadline. */
const ROUNDS = [
  ['franz-codecs', 'franz-big-messages', 'franz-offsets', 'franz-admin', 'franz-security', 'franz-quota'],
  ['franz-classic-group', 'franz-static-member', 'franz-consumer-group', 'franz-share-group'],
  ['franz-transactions', 'franz-transaction-copy', 'franz-compaction'],
  ['sarama-codecs', 'sarama-group', 'sarama-transactions', 'sarama-admin'],
];

compareOthersWithKafka('Go clients', ['go'], build(), async (_, { bootstrap }) => {
  let output = '';
  for (const scenarios of ROUNDS) {
    output += await runProgram(BINARY, [bootstrap, ...scenarios], DEADLINE_MS);
  }
  return readObservations(output);
});

/** Why there is no program to run; undefined when there is one. */
function build(): string | undefined {
  if (spawnSync('go', ['version']).error) return 'go is not installed';
  const built = spawnSync('go', ['build', '-o', BINARY, '.'], { cwd: DIRECTORY, encoding: 'utf8' });
  return built.status === 0
    ? undefined
    : `the Go clients cannot be built: ${built.stderr.trim().slice(-300)}`;
}
