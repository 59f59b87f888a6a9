import * as z from 'zod';

const MIB = 1024 * 1024;

/** The embedded ClickHouse: where its data is, where it listens and what one statement may cost. */
export const storeConfig = z.strictObject({
  dataDir: z.string().min(1),
  /** `localhost` listens on 127.0.0.1 and ::1. */
  host: z.string().default('localhost'),
  port: z.int().min(0).max(65_535).default(8123),
  /** Names by which the server may be called beside localhost, `host` and addresses (against DNS rebinding). */
  hostNames: z.array(z.string()).default([]),
  /** Web origins (`https://grafana.example`) whose pages may call it. None by default: pages go through our API. */
  allowedOrigins: z.array(z.string()).default([]),
  /** Asked of everybody but the writer. Empty: none, which is allowed on loopback only. */
  readerPassword: z.string().default(''),
  /** Cap of the engine's memory. Above it statements fail with MEMORY_LIMIT_EXCEEDED (241), the process stays. */
  memoryBytesMax: z
    .int()
    .min(256 * MIB)
    .default(2048 * MIB),
  markCacheBytesMax: z
    .int()
    .min(MIB)
    .default(128 * MIB),
  /** All tables together; above it the oldest days are dropped, counted and said. */
  diskBytesMax: z
    .int()
    .min(64 * MIB)
    .default(20 * 1024 * MIB),
  diskCheckMs: z.int().min(1000).default(60_000),
  /** Statements at a time; two more slots are kept for the writer, so that readers cannot hold up the sink. */
  readersMax: z.int().min(1).default(6),
  /** Statements that wait for a slot; beyond, TOO_MANY_SIMULTANEOUS_QUERIES (202) with 503. */
  waitingMax: z.int().min(0).default(200),
  /** A request body after decompression. One insert of 300 MB took the engine above 2 GB of memory. */
  bodyBytesMax: z
    .int()
    .min(MIB)
    .default(128 * MIB),
  reader: z
    .strictObject({
      /** `max_execution_time` when the request gives none, s. */
      executionTimeDefaultS: z.int().min(1).default(60),
      /** What a request may ask for at most, s. */
      executionTimeMaxS: z.int().min(1).default(300),
      memoryBytesMax: z
        .int()
        .min(16 * MIB)
        .default(1024 * MIB),
      /** Results are buffered before they are sent, so they have a bound. */
      resultBytesMax: z
        .int()
        .min(MIB)
        .default(128 * MIB),
    })
    .prefault({}),
});

export type StoreConfig = z.infer<typeof storeConfig>;
