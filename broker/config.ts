import { z } from 'zod';

const DAY_MS = 24 * 60 * 60 * 1000;
const MIB = 1024 * 1024;

/** The broker's settings. Kafka's names for the same things stand in `server/configs.ts`, for DescribeConfigs. */
export const brokerConfig = z.strictObject({
  dataDir: z.string().min(1),
  /** Where to listen; `localhost` means both loopback families. */
  host: z.string().default('localhost'),
  port: z.int().min(0).max(65_535).default(9092),
  /** What Metadata tells clients to connect to; default: `host`, and `localhost` for a wildcard. */
  advertisedHost: z.string().min(1).optional(),
  nodeId: z.int().min(0).default(1),
  numPartitions: z.int().min(1).max(10_000).default(1),
  autoCreateTopics: z.boolean().default(true),
  /** -1 keeps for ever. */
  retentionMs: z
    .int()
    .min(-1)
    .default(7 * DAY_MS),
  /** Per partition; -1 is no bound. */
  retentionBytes: z
    .int()
    .min(-1)
    .default(1024 * MIB),
  /** All partitions together: the oldest sealed segments go first. */
  diskBytesMax: z
    .int()
    .min(MIB)
    .default(10 * 1024 * MIB),
  segmentBytes: z
    .int()
    .min(64 * 1024)
    .max(2 ** 31 - 1)
    .default(64 * MIB),
  messageBytesMax: z.int().min(1).default(1_048_588),
  groupInitialRebalanceDelayMs: z.int().min(0).default(0),
  groupMinSessionTimeoutMs: z.int().min(1).default(6_000),
  groupMaxSessionTimeoutMs: z
    .int()
    .min(1)
    .default(30 * 60 * 1000),
  /** A group of more members would make every JoinGroup answer of its leader megabytes. */
  groupMaxSize: z.int().min(1).default(5_000),
  offsetsRetentionMs: z
    .int()
    .min(1)
    .default(7 * DAY_MS),
  /** `__consumer_offsets` is rewritten with what is still true when a partition of it is larger. */
  offsetsRewriteBytes: z
    .int()
    .min(1024)
    .default(32 * MIB),
  /** Kafka's number, on which readers of the topic may count. */
  offsetsTopicPartitions: z.int().min(1).max(1_000).default(50),
  /** 100 MiB, as Kafka: checked before any of it is kept. */
  requestBytesMax: z
    .int()
    .min(1024)
    .default(100 * MIB),
  /** Half-received requests of all connections together; a sender beyond it is cut off. */
  bufferedBytesMax: z
    .int()
    .min(1024)
    .default(1024 * MIB),
  /** Most bytes one Fetch answer carries, whatever the client asks for. */
  fetchBytesMax: z
    .int()
    .min(1024)
    .default(55 * MIB),
  /** Each costs a socket and some 100 kB; one more is refused at once. */
  connectionsMax: z.int().min(1).default(10_000),
  connectionIdleMs: z
    .int()
    .min(100)
    .default(10 * 60 * 1000),
});

export type BrokerConfig = z.infer<typeof brokerConfig>;
