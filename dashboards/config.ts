import { z } from 'zod';

import { kafkaConfig } from '../broker/client/kafka-config.ts';

/** What every query may cost at most: a limit hit is an error with a reason, never a silent cut. */
const limits = z
  .object({
    /** Beyond this a person has gone on: narrow the time range instead. */
    executionSecondsMax: z.number().positive().default(30),
    /** Rows of one panel or log query: what a browser still draws. */
    resultRowsMax: z.number().int().positive().default(100_000),
    /** Bytes of one answer: held in this process once as rows and once as JSON. */
    resultBytesMax: z
      .number()
      .int()
      .positive()
      .default(64 * 1024 * 1024),
    /** Queries at the same time; more wait in line. The embedded engine has two threads. */
    concurrentQueriesMax: z.number().int().positive().default(4),
    /** Queries that may wait: beyond it 503, so that a forgotten dashboard cannot pile them up. */
    waitingQueriesMax: z.number().int().positive().default(200),
  })
  .prefault({});

const tail = z
  .object({
    /** Live tails at the same time. */
    clientsMax: z.number().int().positive().default(50),
    /** Bytes of lines that wait for one slow reader; more are dropped and counted. */
    bufferBytesMax: z
      .number()
      .int()
      .positive()
      .default(4 * 1024 * 1024),
    /** Lines are sent together at this pace, about one redraw of the page; after silence the first goes at once. */
    flushIntervalMs: z.number().int().positive().default(20),
    /** A line of silence keeps proxies from closing the stream. */
    heartbeatIntervalMs: z.number().int().positive().default(15_000),
  })
  .prefault({});

export const webConfig = z.object({
  host: z.string().default('localhost'),
  port: z.number().int().min(0).max(65_535).default(3100),
  kafka: kafkaConfig.prefault({}),
  clickhouse: z
    .object({
      url: z.string().default('http://localhost:8123'),
      database: z.string().default('otel'),
      username: z.string().default('default'),
      password: z.string().default(''),
    })
    .prefault({}),
  /** Dashboard files in Grafana's JSON; default: ours. */
  dashboardsDir: z.string().optional(),
  /** The built viewer (`index.html` and its assets); without it only the APIs answer. */
  viewerDir: z.string().optional(),
  limits,
  tail,
});

export type WebConfig = z.infer<typeof webConfig>;
