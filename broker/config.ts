import { z } from 'zod';

import { ITERATIONS_MAX, ITERATIONS_MIN } from './security/scram.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const MIB = 1024 * 1024;

const tlsSettings = z.strictObject({
  /** PEM files. They are read again when they change: `reloadIntervalMs`. */
  key: z.string().min(1),
  cert: z.string().min(1),
  /** Who signs the certificates of clients. */
  ca: z.string().min(1).optional(),
  clientAuth: z.enum(['none', 'requested', 'required']).default('none'),
  /** Kafka's `ssl.principal.mapping.rules`: from a certificate's subject to a name. */
  principalMappingRules: z.string().default('DEFAULT'),
  reloadIntervalMs: z.int().min(10).default(10_000),
});

const saslSettings = z.strictObject({
  mechanisms: z.array(z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'])).min(1),
  /** Kafka's `connections.max.reauth.ms`; 0 asks nobody to authenticate again. */
  connectionsMaxReauthMs: z.int().min(0).default(0),
});

const listenerSettings = z
  .strictObject({
    /** What Kafka calls the listener's name; tells listeners apart in messages. */
    name: z.string().regex(/^[A-Za-z0-9_]+$/),
    /** `localhost` means both loopback families. */
    host: z.string().min(1).default('localhost'),
    port: z.int().min(0).max(65_535),
    protocol: z.enum(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']).default('PLAINTEXT'),
    /** What Metadata tells clients of this listener; default: its host and port, `localhost` for a wildcard. */
    advertisedHost: z.string().min(1).optional(),
    advertisedPort: z.int().min(1).max(65_535).optional(),
    tls: tlsSettings.optional(),
    sasl: saslSettings.optional(),
  })
  .refine(({ protocol, tls }) => protocol.endsWith('SSL') === (tls !== undefined), {
    message: 'a listener has `tls` when its protocol is SSL or SASL_SSL, and only then',
  })
  .refine(({ protocol, sasl }) => protocol.startsWith('SASL') === (sasl !== undefined), {
    message: 'a listener has `sasl` when its protocol is SASL_PLAINTEXT or SASL_SSL, and only then',
  });

const securitySettings = z.strictObject({
  /** Names and passwords for SASL PLAIN; and a JSON file of the same. */
  plainUsers: z.record(z.string().min(1), z.string().min(1)).default({}),
  plainUsersFile: z.string().min(1).optional(),
  /** Made at the start where they are missing, for the first administrator; later changes go over the wire. */
  scramUsers: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        password: z.string().min(1),
        iterations: z.int().min(ITERATIONS_MIN).max(ITERATIONS_MAX).default(ITERATIONS_MIN),
      }),
    )
    .default([]),
  /** What makes a token of SASL OAUTHBEARER hold. */
  oauthBearer: z
    .strictObject({
      /** Key set (RFC 7517) with public keys of RS256 and ES256; read again every `jwksReloadIntervalMs`. */
      jwksFile: z.string().min(1).optional(),
      jwksReloadIntervalMs: z.int().min(10).default(60_000),
      issuer: z.string().min(1).optional(),
      audience: z.string().min(1).optional(),
      principalClaim: z.string().min(1).default('sub'),
      requiredScopes: z.array(z.string().min(1)).default([]),
      clockSkewMs: z.int().min(0).default(0),
      /** Tokens that nobody signed, for tests: whoever comes is who it says. */
      allowUnsecured: z.boolean().default(false),
    })
    .prefault({}),
  /** Whether access rules decide who may do what; without, everybody may everything. */
  authorizer: z.boolean().default(false),
  /** Kafka's `super.users`: may everything. `User:ANONYMOUS` is whoever came without saying who. */
  superUsers: z.array(z.string().regex(/^User:./)).default([]),
  /** Kafka's `allow.everyone.if.no.acl.found`: what no rule is about is free. */
  allowEveryoneIfNoAclFound: z.boolean().default(false),
});

export type ListenerSettings = z.infer<typeof listenerSettings>;
export type TlsSettings = z.infer<typeof tlsSettings>;
export type SaslSettings = z.infer<typeof saslSettings>;

/** The broker's settings. Kafka's names for the same things stand in `configs/broker-configs.ts`, for DescribeConfigs. */
export const brokerConfig = z.strictObject({
  dataDir: z.string().min(1),
  /** Where to listen; `localhost` means both loopback families. */
  host: z.string().default('localhost'),
  port: z.int().min(0).max(65_535).default(9092),
  /** What Metadata tells clients to connect to; default: `host`, and `localhost` for a wildcard. */
  advertisedHost: z.string().min(1).optional(),
  /** Several ways in, in place of the one that `host` and `port` make. The first is the one that is told to others. */
  listeners: z
    .array(listenerSettings)
    .min(1)
    .max(16)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, {
      message: 'listeners have different names',
    })
    .optional(),
  /**
   * Bytes that are not encrypted are refused at the start on an address beyond the loopback, unless this says that
   * something else protects them (a private network, a container's).
   */
  allowPlaintextBeyondLoopback: z.boolean().default(false),
  security: securitySettings.prefault({}),
  nodeId: z.int().min(0).default(1),
  /** Fetch sessions kept at once (KIP-227); a client without one sends full requests. */
  fetchSessionsMax: z.int().min(0).default(1_000),
  /**
   * How many nodes to play, `nodeId` and the next ids on `port` and the next ports: for tests of clients, which meet a
   * cluster on one machine. Each costs its listeners, and every request a look at who leads.
   */
  virtualNodes: z.int().min(1).max(100).default(1),
  numPartitions: z.int().min(1).max(10_000).default(1),
  autoCreateTopics: z.boolean().default(true),
  /** Kafka's `delete.topic.enable`. */
  deleteTopics: z.boolean().default(true),
  /** Whether clients may push their metrics, when subscriptions ask for some (KIP-714). */
  clientTelemetry: z.boolean().default(true),
  /** Takes any replication factor as 1: applications that hard-code 3 then run on one node. */
  clampReplicationFactor: z.boolean().default(false),
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
  /** Closed, and a checkpoint made, when it is larger: bounds what a start replays. */
  walFileBytes: z
    .int()
    .min(256 * 1024)
    .max(1024 * MIB)
    .default(64 * MIB),
  /** Kafka's `log.retention.check.interval.ms`. */
  logRetentionCheckIntervalMs: z.int().min(10).default(30_000),
  /** How often compacted topics are looked at. */
  logCleanerBackoffMs: z.int().min(10).default(15_000),
  messageBytesMax: z.int().min(1).default(1_048_588),
  groupInitialRebalanceDelayMs: z.int().min(0).default(0),
  groupMinSessionTimeoutMs: z.int().min(1).default(6_000),
  groupMaxSessionTimeoutMs: z
    .int()
    .min(1)
    .default(30 * 60 * 1000),
  /** A group of more members would make every JoinGroup answer of its leader megabytes. */
  groupMaxSize: z.int().min(1).default(5_000),
  /** KIP-848: what members have to show up again, and how often they are told to. The bounds hold for single groups. */
  groupConsumerSessionTimeoutMs: z.int().min(1).default(45_000),
  groupConsumerMinSessionTimeoutMs: z.int().min(1).default(45_000),
  groupConsumerMaxSessionTimeoutMs: z.int().min(1).default(60_000),
  groupConsumerHeartbeatIntervalMs: z.int().min(1).default(5_000),
  groupConsumerMinHeartbeatIntervalMs: z.int().min(1).default(5_000),
  groupConsumerMaxHeartbeatIntervalMs: z.int().min(1).default(15_000),
  /** Every heartbeat copies the list of members; beyond this many that is work for seconds. */
  groupConsumerMaxSize: z.int().min(1).default(5_000),
  /** Which way a group may change its protocol while it runs. */
  groupConsumerMigrationPolicy: z
    .enum(['disabled', 'upgrade', 'downgrade', 'bidirectional'])
    .default('bidirectional'),
  offsetsRetentionMs: z
    .int()
    .min(1)
    .default(7 * DAY_MS),
  /** Kafka's number, on which readers of the topic may count. */
  offsetsTopicPartitions: z.int().min(1).max(1_000).default(50),
  /** How long a member of a share group keeps a record; what one group may set lies between the next two. */
  shareRecordLockDurationMs: z.int().min(1).default(30_000),
  shareMinRecordLockDurationMs: z.int().min(1).default(15_000),
  shareMaxRecordLockDurationMs: z.int().min(1).default(60_000),
  shareDeliveryCountLimit: z.int().min(2).max(10).default(5),
  /** Records of a partition that are handed out and not done with: each may be a run of its own in memory. */
  sharePartitionMaxRecordLocks: z.int().min(1).max(10_000).default(2_000),
  shareSessionTimeoutMs: z.int().min(1).default(45_000),
  shareMinSessionTimeoutMs: z.int().min(1).default(45_000),
  shareMaxSessionTimeoutMs: z.int().min(1).default(60_000),
  shareHeartbeatIntervalMs: z.int().min(1).default(5_000),
  shareMinHeartbeatIntervalMs: z.int().min(1).default(5_000),
  shareMaxHeartbeatIntervalMs: z.int().min(1).default(15_000),
  shareGroupMaxSize: z.int().min(1).max(1_000).default(200),
  /** Sessions of share groups, some hundred bytes a partition each. */
  shareSessionsMax: z.int().min(1).default(2_000),
  /** Kafka's number. */
  shareStatePartitions: z.int().min(1).max(1_000).default(50),
  /** `__share_group_state` is rewritten with what is still true when a partition of it is larger. */
  shareStateRewriteBytes: z
    .int()
    .min(1024)
    .default(32 * MIB),
  /** What names of dead-letter topics begin with, so that a group cannot be made to write anywhere else. */
  deadLetterTopicPrefix: z.string().default('dlq.'),
  deadLetterAutoCreateTopics: z.boolean().default(false),
  /** Longest transaction timeout that a producer may ask for: so long it can hold up readers of committed records. */
  transactionMaxTimeoutMs: z
    .int()
    .min(1)
    .default(15 * 60 * 1000),
  /** How often transactions past their timeout are looked for. */
  transactionAbortIntervalMs: z.int().min(1).default(10_000),
  transactionalIdExpirationMs: z
    .int()
    .min(1)
    .default(7 * DAY_MS),
  transactionTopicPartitions: z.int().min(1).max(1_000).default(50),
  /** Whether writes of producers before KIP-890 need their partition to be in the transaction. */
  transactionPartitionVerification: z.boolean().default(true),
  /** 100 MiB, as Kafka: checked before any of it is kept. */
  requestBytesMax: z
    .int()
    .min(1024)
    .default(100 * MIB),
  /**
   * Of a connection that has not said who it is yet: tokens of SCRAM and PLAIN are hundreds of bytes, signed ones with
   * many claims some 10 KiB, and a stranger may not make the broker keep more.
   */
  unauthenticatedRequestBytesMax: z
    .int()
    .min(1024)
    .default(64 * 1024),
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
  /**
   * What requests at work hold together, by an estimate made before they are decoded; more of them wait. Five of the
   * largest requests, or eight thousand usual ones.
   */
  requestMemoryBytesMax: z
    .int()
    .min(1024)
    .default(512 * MIB),
  /** What Fetch answers hold together until their readers have taken them; more of them wait. */
  answerMemoryBytesMax: z
    .int()
    .min(1024)
    .default(512 * MIB),
  /** Each costs a socket and some 100 kB; one more is refused at once. */
  connectionsMax: z.int().min(1).default(10_000),
  /** Half of all, so that one host cannot take them all; a host of 1,000 consumers has some 3,000. */
  connectionsPerAddressMax: z.int().min(1).default(5_000),
  /** Average over ten seconds, as the next: accepting one costs 0.1 ms, so strangers get a fifth of the loop at most. */
  connectionsPerSecondMax: z.number().positive().default(2_000),
  /** Leaves most of it to others. A host of 1,000 consumers that all come back at once stays below: 5,000 in a burst. */
  connectionsPerSecondPerAddressMax: z.number().positive().default(500),
  /** From connecting to the end of the first request, which every client sends at once and which is small. */
  firstRequestMs: z.int().min(10).default(10_000),
  /** From connecting to the end of the login, which clients begin at once; later logins on the connection are free. */
  firstAuthenticationMs: z.int().min(10).default(10_000),
  /** From the first byte of a request to its last, unless bytes keep coming (`connection-deadlines.ts` says how many). */
  requestReceiveMs: z.int().min(10).default(30_000),
  /** For an answer to be taken by its reader, and more for a large one. */
  answerSendMs: z.int().min(10).default(60_000),
  connectionIdleMs: z
    .int()
    .min(100)
    .default(10 * 60 * 1000),
});

export type BrokerConfig = z.infer<typeof brokerConfig>;
