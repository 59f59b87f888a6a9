import { z } from 'zod';

import { kafkaConfig } from '../../broker/client/kafka-config.ts';

const httpUrl = z.url({ protocol: /^https?$/, error: 'want an http or https URL' });

/** Configuration of the alert part. */
export const alertsConfig = z.strictObject({
  kafka: kafkaConfig.prefault({}),
  groupId: z.string().min(1).default('millrace-alerts'),
  /** Rule files, directories, or paths with * and ? in their last part. None: the part idles. */
  rules: z.array(z.string()).default([]),
  webhooks: z.array(z.strictObject({ url: httpUrl })).default([]),
  /** Base URLs; `/api/v2/alerts` is added. */
  alertmanagers: z.array(httpUrl).default([]),
  /** Where people reach the viewer: for links in notifications. */
  externalUrl: z.union([httpUrl, z.literal('')]).default(''),
  /** How often rules are judged whose group sets no interval. */
  intervalMs: z.int().min(1_000).default(15_000),
  /** How far records of one partition may be out of order. */
  allowedLatenessMs: z.int().min(0).default(3_000),
  /** However late senders are, judgement trails the append time by no more than this. */
  watermarkLagMaxMs: z.int().min(1_000).default(15_000),
  /** A partition that is read to its end follows the clock after this. */
  idleTimeoutMs: z.int().min(0).default(3_000),
  /** Series a range aggregation may have. */
  seriesMax: z.int().min(1).default(1_000),
  /** Matching lines in the annotation `samples`; 0 for none. */
  samplesMax: z.int().min(0).max(20).default(5),
  /** State is stored at every transition, and at least this often while records come. */
  checkpointIntervalMs: z.int().min(100).default(5_000),
  /** How often the ends of the partitions are looked at, and files for changes. */
  probeIntervalMs: z.int().min(100).default(1_000),
  reloadIntervalMs: z.int().min(100).default(10_000),
});

export type AlertsConfig = z.infer<typeof alertsConfig>;
