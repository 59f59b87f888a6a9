import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { compareOthersWithKafka } from '../java/compare-with-kafka.ts';
import { readObservations } from '../java/observations.ts';
import { runProgram } from '../run-program.ts';

/** Debian's, which knows Debian's packages; another one may stand in front of it on the path. */
const PYTHON = '/usr/bin/python3';
const DEADLINE_MS = 300_000;

compareOthersWithKafka('librdkafka', ['librdkafka'], problem(), async (_, { bootstrap }) => {
  const program = join(import.meta.dirname, 'clients.py');
  return readObservations(await runProgram(PYTHON, [program, bootstrap], DEADLINE_MS));
});

function problem(): string | undefined {
  const found = spawnSync(PYTHON, ['-c', 'import confluent_kafka']);
  if (found.error) return 'python3 is not installed';
  return found.status === 0 ? undefined : 'python3-confluent-kafka is not installed';
}
