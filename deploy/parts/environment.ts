/** What a part's process must be given at its start, because Node reads it only then. */
import { storeEnvironment } from '../../sinks/store/environment.ts';
import type { PartName } from './names.ts';

/**
 * The broker's threads for files; Node has four by default. Eight may read segments at a time (broker/log/segment/file-pool.ts),
 * eight write them (segment-writer.ts), four sync them, and the write-ahead log must never wait for any of these.
 * deploy/bin/millrace.js has the number too.
 */
const BROKER_THREADS = 24;
/** Each thread would get a heap of the C library's own, of which what is free stays resident. They allocate little. */
const BROKER_ARENAS = 2;
/**
 * New objects of the broker, in MiB; Node's own bound is 16, which filled three times over: 140 MiB of memory at a thousand
 * partitions. With 4, what requests at work refer to is copied so often that they cost a quarter more.
 */
const BROKER_SEMI_SPACE_MIB = 8;

/** Environment variables. */
export function partEnvironment(name: PartName): Readonly<Record<string, string>> {
  if (name === 'store') return storeEnvironment();
  if (name !== 'broker') return {};
  return {
    UV_THREADPOOL_SIZE: process.env['UV_THREADPOOL_SIZE'] ?? String(BROKER_THREADS),
    MALLOC_ARENA_MAX: process.env['MALLOC_ARENA_MAX'] ?? String(BROKER_ARENAS),
  };
}

/**
 * Arguments of node itself. A bound on each heap keeps a leak in one part from taking the machine; the collector is called
 * once, behind the start.
 */
export function nodeArguments(name: PartName): string[] {
  const heap = ['--max-old-space-size=1024', '--expose-gc'];
  return name === 'broker' ? [...heap, `--max-semi-space-size=${BROKER_SEMI_SPACE_MIB}`] : heap;
}
