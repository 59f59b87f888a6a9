/** What a part's process must be given at its start, because Node reads it only then. */
import { storeEnvironment } from '../../sinks/store/environment.ts';
import type { PartName } from './names.ts';

/**
 * The broker's threads for files; Node has four by default. Eight may read segments at a time (broker/log/file-pool.ts),
 * four sync them, and the write-ahead log must never wait for either. deploy/bin/millrace.js has the number too.
 */
const BROKER_THREADS = 16;

/** Environment variables. */
export function partEnvironment(name: PartName): Readonly<Record<string, string>> {
  if (name === 'store') return storeEnvironment();
  if (name !== 'broker') return {};
  return { UV_THREADPOOL_SIZE: process.env['UV_THREADPOOL_SIZE'] ?? String(BROKER_THREADS) };
}

/** Arguments of node itself. A bound on each heap keeps a leak in one part from taking the machine. */
export function nodeArguments(_name: PartName): string[] {
  return ['--max-old-space-size=1024'];
}
