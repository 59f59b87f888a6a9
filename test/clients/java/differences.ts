/** The one table of what we answer otherwise than Apache Kafka 4.4, with the reason. What is not here must be the same. */
export interface Difference {
  readonly scenario: string;
  /** `*`: the whole scenario. */
  readonly step: string;
  /** Only with this client. */
  readonly client?: string;
  readonly reason: string;
}

export const DIFFERENCES: readonly Difference[] = [
  { scenario: 'Security: SASL', step: 'OAUTHBEARER', reason: 'tokens without a signature are not taken' },
  {
    scenario: 'Shares: administration',
    step: 'positions',
    client: 'clients-4.4',
    reason: 'the start offset of Kafka moves later than its records are done',
  },
  { scenario: 'AdminRoundTrip: features', step: 'finalized', reason: 'no groups of the streams protocol' },
  { scenario: 'AdminRoundTrip: features', step: 'supported', reason: 'no groups of the streams protocol' },
  { scenario: 'kafka-features', step: 'describe', reason: 'no groups of the streams protocol' },
];
