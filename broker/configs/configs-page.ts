/** The text of broker/CONFIGS.md: every setting that is taken over the wire, and where it acts. */
import { BROKER_CONFIGS } from './broker-configs.ts';
import { CLIENT_METRICS_CONFIGS } from './client-metrics-configs.ts';
import type { Definition } from './definition.ts';
import { GROUP_CONFIGS } from './group-configs.ts';
import { TOPIC_CONFIGS } from './topic-configs.ts';

export function configsPage(): string {
  return [
    '# Settings under their Kafka names',
    '',
    'Written by `vitest run -u broker/configs/configs-page.test.ts` from the lists in `configs/`; a test compares.',
    'Where a setting acts stands behind it; one without a file is taken, kept and read back, and changes nothing.',
    '',
    ...section('Topics', 'CreateTopics, AlterConfigs, IncrementalAlterConfigs.', TOPIC_CONFIGS, fallbackOf),
    ...section(
      'Brokers, changed while they run',
      'For one broker or for all of them; durable. Any other name is kept for tools, its value is never shown.',
      BROKER_CONFIGS.filter(({ mode }) => mode === 'cluster-wide'),
      ({ kafkaDefault }) => kafkaDefault ?? '',
    ),
    ...section(
      'Brokers, from the configuration file',
      'Read-only over the wire.',
      BROKER_CONFIGS.filter(({ mode }) => mode === 'read-only'),
      ({ kafkaDefault }) => kafkaDefault ?? '',
    ),
    ...section('Groups', 'Of the consumer and share protocols.', GROUP_CONFIGS, fallbackOf),
    ...section('Client metrics', 'Subscriptions of KIP-714.', CLIENT_METRICS_CONFIGS, fallbackOf),
  ].join('\n');
}

function section<T extends Definition>(
  title: string,
  about: string,
  definitions: readonly T[],
  defaultOf: (one: T) => string,
): string[] {
  const lines = definitions
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((one) => {
      const { name, type, documentation, actsIn } = one;
      const fallback = defaultOf(one);
      const shown = fallback === '' ? '' : `, ${fallback}`;
      return `- \`${name}\` (${type}${shown}): ${documentation}${actsIn === undefined ? '' : ` \`${actsIn}\``}`;
    });
  return [`## ${title}`, '', about, '', ...lines, ''];
}

function fallbackOf({ fallback }: { readonly fallback: string }): string {
  return fallback;
}
