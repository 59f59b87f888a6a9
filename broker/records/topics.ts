/** The topics that Millrace itself uses: the contract between collector, broker and sinks. */
export type Signal = 'logs' | 'metrics' | 'spans';

export const SIGNAL_TOPICS: Readonly<Record<Signal, string>> = {
  logs: 'otlp_logs',
  metrics: 'otlp_metrics',
  spans: 'otlp_spans',
};

export const DEAD_LETTER_TOPIC = 'millrace.dlq';
export const ALERTS_TOPIC = 'millrace.alerts';
export const LEDGER_TOPIC = 'millrace.ledger';

export interface TopicPlan {
  readonly name: string;
  readonly partitions: number;
  /** Kafka's topic settings beyond the broker's defaults. */
  readonly configs: Readonly<Record<string, string>>;
}

/** What a part that needs these topics asks for at its start; existing topics are left as they are. */
export const TOPIC_PLANS: readonly TopicPlan[] = [
  { name: SIGNAL_TOPICS.logs, partitions: 12, configs: {} },
  { name: SIGNAL_TOPICS.metrics, partitions: 12, configs: {} },
  { name: SIGNAL_TOPICS.spans, partitions: 12, configs: {} },
  { name: DEAD_LETTER_TOPIC, partitions: 1, configs: {} },
  { name: ALERTS_TOPIC, partitions: 1, configs: { 'cleanup.policy': 'compact' } },
  { name: LEDGER_TOPIC, partitions: 1, configs: { 'cleanup.policy': 'compact' } },
];
