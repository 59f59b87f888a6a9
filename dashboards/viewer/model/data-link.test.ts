import { expect, test } from 'vitest';
import { expandLink } from './data-link.ts';

const VALUES = {
  fromMs: 1000,
  toMs: 2000,
  value: 3,
  text: '3 B',
  fieldName: 'lag',
  labels: { 'service.name': 'a&b' },
  row: { TraceId: 'abc' },
  variables: { level: ['error', 'warn'] },
};

const CASES: [string, string | undefined][] = [
  ['/d/x?${__url_time_range}&var-s=${__field.labels["service.name"]}', '/d/x?from=1000&to=2000&var-s=a%26b'],
  ['/t/${__data.fields.TraceId}?v=${__value.raw}&t=${__value.text}', '/t/abc?v=3&t=3%20B'],
  ['/d/x?${level:queryparam}', '/d/x?var-level=error&var-level=warn'],
  ['/d/x?${__all_variables}&keep=${unknown}', '/d/x?var-level=error&var-level=warn&keep=${unknown}'],
  ['${__data.fields.TraceId}:alert(1)', undefined],
  ['javascript:alert(${__value.raw})', undefined],
];

test.each(CASES)('%s', (template, expected) => {
  expect(expandLink(template, VALUES)).toBe(expected);
});
