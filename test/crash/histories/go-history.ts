import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { runProgram } from '../../clients/run-program.ts';
import type { Operation } from './history.ts';

const SOURCES = join(import.meta.dirname, '../../clients/go');
const BINARY = join(import.meta.dirname, '../../../build/go/clients');
/** For what is under way when its time is over. */
const LATE_MS = 60_000;

/** What franz-go did and saw, or why there is no such client. */
export function goHistory(plan: {
  readonly address: string;
  readonly topic: string;
  readonly partitions: number;
  readonly seed: number;
  readonly seconds: number;
}): { operations: Promise<Operation[]>; skipped: string[] } {
  const skipped = build();
  if (skipped !== undefined) return { operations: Promise.resolve([]), skipped: [skipped] };
  const { address, topic, partitions, seed, seconds } = plan;
  const args = ['history', address, topic, partitions, seed, seconds].map(String);
  const output = runProgram(BINARY, args, seconds * 1_000 + LATE_MS);
  const operations = output.then((text) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Operation),
  );
  operations.catch(() => {});
  return { operations, skipped: [] };
}

function build(): string | undefined {
  if (spawnSync('go', ['version']).error) return 'franz-go: go is not installed';
  const built = spawnSync('go', ['build', '-o', BINARY, '.'], { cwd: SOURCES, encoding: 'utf8' });
  return built.status === 0
    ? undefined
    : `franz-go: the client cannot be built: ${built.stderr.trim().slice(-300)}`;
}
