import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Debian's, which knows Debian's packages; another one may stand in front of it on the path. */
export const PYTHON = '/usr/bin/python3';
export const LIBRDKAFKA_PROGRAM = join(import.meta.dirname, 'clients.py');

/** Why librdkafka cannot be run; undefined when it can. */
export function librdkafkaProblem(): string | undefined {
  const found = spawnSync(PYTHON, ['-c', 'import confluent_kafka']);
  if (found.error) return 'python3 is not installed';
  return found.status === 0 ? undefined : 'python3-confluent-kafka is not installed';
}
