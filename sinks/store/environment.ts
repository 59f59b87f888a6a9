/** Threads beyond the statements: temporary files of inserts, KILL QUERY, compression. */
const SPARE_THREADS = 6;
const WRITERS = 2;

/**
 * What the process of the store must be started with. Every statement occupies one thread of libuv's pool
 * while it runs; the pool has four by default and takes its size only from the environment, at start.
 */
export function storeEnvironment(readersMax = 6): Readonly<Record<string, string>> {
  return { UV_THREADPOOL_SIZE: String(readersMax + WRITERS + SPARE_THREADS) };
}

/** Slots for statements that the pool of this process can really run: never so many that a KILL would wait. */
export function statementSlots(
  readersMax: number,
  environment: Readonly<Record<string, string | undefined>>,
): { readers: number; writers: number; enough: boolean } {
  const threads = Number(environment['UV_THREADPOOL_SIZE'] ?? '4') || 4;
  const room = threads - 2;
  if (room >= readersMax + WRITERS) return { readers: readersMax, writers: WRITERS, enough: true };
  // The default pool: one reader, one writer, two threads for files and for ending a statement.
  const writers = room >= 4 ? WRITERS : 1;
  return { readers: Math.max(1, room - writers), writers, enough: false };
}
