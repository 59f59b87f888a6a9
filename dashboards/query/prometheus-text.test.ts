import { execFileSync } from 'node:child_process';

import { expect, test } from 'vitest';

import { createMetrics } from '../../broker/host/metrics.ts';
import { prometheusText } from './prometheus-text.ts';

function twoParts() {
  const broker = createMetrics();
  broker
    .counter('millrace_requests_total', 'Requests, with a \\ and\na line end.')
    .add(3, { api: 'a"b\\c\nd' });
  const size = broker.gauge('millrace_size_ratio', 'A ratio.');
  size.set(Number.POSITIVE_INFINITY, { topic: 'x' });
  size.set(0.25, { topic: 'y' });
  const seconds = broker.histogram('millrace_wait_seconds', 'A wait.', [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
  const web = createMetrics();
  web.counter('millrace_requests_total', 'Requests.').add(1);
  web.gauge('millrace_wait_seconds', 'The same name as another type.').set(1);
  web.gauge('millrace_never_set_bytes', 'No series.');
  return [
    { part: 'broker', families: broker.snapshot() },
    { part: 'web', families: web.snapshot() },
  ];
}

test('HELP and TYPE once a name, escapes, cumulative buckets, the part as label', () => {
  expect(prometheusText(twoParts()))
    .toBe(`# HELP millrace_requests_total Requests, with a \\\\ and\\na line end.
# TYPE millrace_requests_total counter
millrace_requests_total{api="a\\"b\\\\c\\nd",part="broker"} 3
millrace_requests_total{part="web"} 1
# HELP millrace_size_ratio A ratio.
# TYPE millrace_size_ratio gauge
millrace_size_ratio{topic="x",part="broker"} +Inf
millrace_size_ratio{topic="y",part="broker"} 0.25
# HELP millrace_wait_seconds A wait.
# TYPE millrace_wait_seconds histogram
millrace_wait_seconds_bucket{part="broker",le="0.1"} 2
millrace_wait_seconds_bucket{part="broker",le="1"} 3
millrace_wait_seconds_bucket{part="broker",le="+Inf"} 4
millrace_wait_seconds_sum{part="broker"} 7.65
millrace_wait_seconds_count{part="broker"} 4
`);
});

const hasPromtool = ((): boolean => {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.log('skipped: promtool is not installed (Debian package prometheus)');
    return false;
  }
})();

test.skipIf(!hasPromtool)('promtool finds nothing to complain about', () => {
  const text = prometheusText(twoParts());
  expect(execFileSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })).toBe('');
});
