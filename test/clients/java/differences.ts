/** The one table of what we answer otherwise than Apache Kafka 4.4, with the reason. What is not here must be the same. */
export interface Difference {
  readonly scenario: string;
  /** `*`: the whole scenario. */
  readonly step: string;
  /** Only with this client. */
  readonly client?: string;
  readonly reason: string;
}

/** APIs that are listed otherwise, by reason. */
const OTHER_VERSIONS: Readonly<Record<string, readonly string[]>> = {
  'older versions are served too': [
    '2 ListOffsets',
    '19 CreateTopics',
    '20 DeleteTopics',
    '32 DescribeConfigs',
  ],
  'no delegation tokens': [
    '38 CreateDelegationToken',
    '39 RenewDelegationToken',
    '40 ExpireDelegationToken',
    '41 DescribeDelegationToken',
  ],
  'one node, without a quorum that could change': [
    '64 UnregisterBroker',
    '80 AddRaftVoter',
    '81 RemoveRaftVoter',
  ],
  'Kafka has these only with a receiver of metrics': ['71 GetTelemetrySubscriptions', '72 PushTelemetry'],
  'between brokers only': [
    '83 InitializeShareGroupState',
    '84 ReadShareGroupState',
    '85 WriteShareGroupState',
    '86 DeleteShareGroupState',
    '87 ReadShareGroupStateSummary',
  ],
  'no streams groups': ['88 StreamsGroupHeartbeat', '89 StreamsGroupDescribe', '93 UNKNOWN', '94 UNKNOWN'],
};

export const DIFFERENCES: readonly Difference[] = [
  ...['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((step) => ({
    scenario: 'librdkafka-sasl',
    step,
    reason: 'librdkafka before 2.6.1 repeats its nonce; Kafka 4 refuses that, Kafka 3.9 and we do not',
  })),
  {
    scenario: 'Shares: administration',
    step: 'positions',
    client: 'clients-4.4',
    reason: 'the start offset of Kafka moves later than its records are done',
  },
  ...['retention.hold.bytes', 'retention.hold.groups'].map((step) => ({
    scenario: 'AdminRoundTrip: every config of a topic',
    step,
    reason: 'a setting of our own',
  })),
  { scenario: 'AdminRoundTrip: features', step: 'finalized', reason: 'no groups of the streams protocol' },
  { scenario: 'AdminRoundTrip: features', step: 'supported', reason: 'no groups of the streams protocol' },
  { scenario: 'kafka-features', step: 'describe', reason: 'no groups of the streams protocol' },
  {
    scenario: 'data: kafka-share-groups',
    step: '--describe --group s --offsets',
    reason: 'as Shares: administration, positions',
  },
  ...Object.entries(OTHER_VERSIONS).flatMap(([reason, steps]) =>
    steps.map((step) => ({ scenario: 'data: kafka-broker-api-versions', step, reason })),
  ),
];
