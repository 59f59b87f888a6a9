import * as z from 'zod';

import { kafkaConfig } from '../broker/client/kafka-config.ts';

const MIB = 1024 * 1024;

/** The sink: from where, to where, in which batches. */
export const sinkConfig = z.strictObject({
  kafka: kafkaConfig,
  clickhouse: z.strictObject({
    url: z.url(),
    database: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .default('otel'),
    username: z.string().default('default'),
    password: z.string().default(''),
  }),
  groupId: z.string().min(1).default('millrace-sink'),
  batch: z
    .strictObject({
      /** Rows after which a batch goes without waiting. Batches of 1,000 cost the engine 3 to 6 times more a row. */
      rowsMax: z.int().min(1).default(50_000),
      /** Encoded bytes after which a batch goes without waiting. */
      bytesMax: z
        .int()
        .min(1)
        .default(32 * MIB),
      /** How long a row waits for company, ms. */
      lingerMs: z.int().min(0).default(500),
    })
    .prefault({}),
  /** Encoded rows in memory, waiting or being inserted; beyond, fetching pauses. */
  inFlightBytesMax: z
    .int()
    .min(MIB)
    .default(96 * MIB),
  /** Older rows are counted as expired and not inserted; the tables drop them. 0 keeps rows for ever. */
  retentionDays: z.int().min(0).default(7),
});

export type SinkConfig = z.infer<typeof sinkConfig>;
