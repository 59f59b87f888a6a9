import { expect, test } from 'vitest';
import { GROUP_COLUMNS, parseSamples, STATUS_METRICS, withColumns } from './metrics-text.ts';

const TEXT = `# HELP kafka_consumergroup_lag_seconds Age of the oldest unread record.
# TYPE kafka_consumergroup_lag_seconds gauge
kafka_consumergroup_lag_seconds{group="a",topic="t",part="broker"} 1.5
kafka_consumergroup_lag_seconds{group="a",topic="say \\"hi\\"",part="broker"} 2
kafka_consumergroup_unread_expiry_seconds{group="a",topic="t",part="broker"} +Inf
something_else 3
`;

test('samples by name with unescaped labels', () => {
  const samples = parseSamples(TEXT, STATUS_METRICS);
  expect(samples.map(({ labels, value }) => [labels['topic'], value])).toEqual([
    ['t', 1.5],
    ['say "hi"', 2],
    ['t', Number.NaN],
  ]);
});

test('a record gets the columns of its own samples', () => {
  const samples = parseSamples(TEXT, STATUS_METRICS);
  const identity = { groupId: 'group', topic: 'topic' };
  expect(
    withColumns(
      [
        { groupId: 'a', topic: 't' },
        { groupId: 'b', topic: 't' },
      ],
      samples,
      GROUP_COLUMNS,
      identity,
    ),
  ).toEqual([
    { groupId: 'a', topic: 't', lagSeconds: 1.5 },
    { groupId: 'b', topic: 't' },
  ]);
});
