import * as z from 'zod';

import { kafkaConfig } from '../broker/client/kafka-config.ts';

const MIB = 1024 * 1024;

export const collectorConfig = z.strictObject({
  otlpHttp: z
    .strictObject({
      host: z.string().default('localhost').describe('address to listen on; localhost is 127.0.0.1 and ::1'),
      port: z.int().min(0).max(65_535).default(4318),
    })
    .prefault({}),
  kafka: kafkaConfig.prefault({}),
  bodyBytesMax: z
    .int()
    .min(1024)
    .default(20 * MIB)
    .describe('largest request body, compressed and decompressed; the OpenTelemetry Collector has the same'),
  inFlightBytesMax: z
    .int()
    .min(MIB)
    .default(64 * MIB)
    .describe('requests between acceptance and answer; above it senders get 429'),
  lingerMs: z
    .number()
    .min(0)
    .max(1_000)
    .default(2)
    .describe('how long the first record waits for others to share a send'),
});

export type CollectorConfig = z.infer<typeof collectorConfig>;
