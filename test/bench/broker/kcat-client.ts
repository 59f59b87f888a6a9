/** librdkafka as kcat uses it, with its defaults: a process for every run, as it starts in milliseconds. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

import { cpuSecondsWithChildren } from '../process-usage.ts';
import type { Client } from './cell.ts';
import { recordText } from './record-text.ts';

const CHUNK_BYTES = 1024 * 1024;
/** Nothing that is measured here takes that long. */
const DEADLINE_MS = 120_000;

/** Why it cannot be used; undefined when it can. */
export function kcatProblem(): string | undefined {
  return spawnSync('kcat', ['-V']).error ? 'kcat is not installed' : undefined;
}

export const kcatClient: Client = {
  async produce(side, { topic, recordBytes, records, acks }) {
    const line = `${recordText(recordBytes)}\n`;
    const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / line.length));
    const chunk = Buffer.from(line.repeat(perChunk));
    const start = performance.now();
    // A random partition for every record, as a producer without keys.
    const args = ['-P', '-b', side.bootstrap, '-t', topic, '-p', '-1', '-X', `acks=${acks}`];
    const child = spawn('kcat', args, { stdio: ['pipe', 'ignore', 'pipe'], timeout: DEADLINE_MS });
    const ended = exit(child);
    for (let left = records; left > 0; left -= perChunk) {
      const bytes = left >= perChunk ? chunk : chunk.subarray(0, left * line.length);
      if (!child.stdin.write(bytes)) await Promise.race([once(child.stdin, 'drain'), ended]);
    }
    child.stdin.end();
    await ended;
    return { records, seconds: (performance.now() - start) / 1_000 };
  },
  async consume(side, { topic, records }) {
    const start = performance.now();
    const args = ['-C', '-b', side.bootstrap, '-t', topic, '-o', 'beginning', '-c', `${records}`, '-q'];
    const child = spawn('kcat', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: DEADLINE_MS });
    // It goes on until it has so many, so that its good end says that it has them.
    await exit(child);
    return { records, seconds: (performance.now() - start) / 1_000 };
  },
  // Of this process is what it writes to kcat.
  cpuSeconds: () => cpuSecondsWithChildren(process.pid),
};

function exit(child: ReturnType<typeof spawn>): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => void (said += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`kcat ended with ${signal ?? code}:\n${said.slice(-2_000)}`));
    });
  });
}
