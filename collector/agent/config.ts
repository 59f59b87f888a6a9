import { z } from 'zod';

import { RECORD_BYTES_MAX } from '../../broker/records/headers.ts';

const milliseconds = z.number().int().positive();

const tailConfig = z.strictObject({
  /** The poll is what finds new lines; notifications of the system only wake it earlier. */
  pollIntervalMs: milliseconds.default(250),
  /** How often the patterns are looked up again. */
  scanIntervalMs: milliseconds.default(1_000),
  /** A file that was renamed or removed is read on until it did not grow for this long. */
  closeAfterMs: milliseconds.default(5_000),
  /** A last line without an end is sent, marked, when the file did not grow for this long. */
  partialAfterMs: milliseconds.default(5_000),
  /** Longer lines are cut, marked and counted. Leaves room for attributes in a record of the broker. */
  lineBytesMax: z
    .number()
    .int()
    .min(1_024)
    .max(RECORD_BYTES_MAX - 50_000)
    .default(800_000),
  /** Open files at once; further ones wait, and this is told. One descriptor each. */
  filesMax: z.number().int().positive().default(4_096),
});

const batchConfig = z.strictObject({
  recordsMax: z.number().int().positive().default(2_000),
  bytesMax: z.number().int().positive().default(512_000),
  /** A file's next batch does not start sooner after its last one, unless the poll finds it. */
  lingerMs: z.number().int().nonnegative().default(200),
  /** Files whose batches are read or on their way at once: bounds memory to about 1 MB for each. */
  filesInFlightMax: z.number().int().positive().default(32),
});

const retryConfig = z.strictObject({
  initialMs: milliseconds.default(100),
  maxMs: milliseconds.default(10_000),
  /** A request without an answer for this long is sent again. */
  timeoutMs: milliseconds.default(30_000),
});

/** The host agent: what it reads and where it sends. Sizes in bytes, times in ms. */
export const agentConfig = z.strictObject({
  /** Holds `positions.json`: what was acknowledged of each file. */
  dataDir: z.string().min(1),
  /** Base URL of an OTLP/HTTP receiver. */
  collector: z.url({ protocol: /^https?$/ }).default('http://localhost:4318'),
  files: z
    .array(
      z.strictObject({
        /** A path, or a pattern with `*`, `?`, `**`, `{a,b}` or `[a-z]`. */
        path: z.string().min(1),
        /** Default: the file's base name without its extension. */
        serviceName: z.string().min(1).optional(),
      }),
    )
    .default([]),
  hostMetrics: z
    .strictObject({ enabled: z.boolean().default(true), intervalMs: milliseconds.default(5_000) })
    .prefault({}),
  /** Default: the system's host name. */
  hostName: z.string().min(1).optional(),
  tail: tailConfig.prefault({}),
  batch: batchConfig.prefault({}),
  retry: retryConfig.prefault({}),
});

export type AgentConfig = z.output<typeof agentConfig>;
