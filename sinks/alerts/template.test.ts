import { expect, test } from 'vitest';

import { compileTemplate } from './template.ts';
import { timeText } from './time-text.ts';

test.each([
  ['plain', 0, 'plain'],
  ['{{ $labels.a }} {{ .Labels.a }} {{$labels.none}}|', 0, 'x x |'],
  ['{{ $value }} {{ .Value }}', 1.5, '1.5 1.5'],
  ['{{ $labels }}', 0, 'map[a:x b:y]'],
  ['a {{- $value -}} b', 7, 'a7b'],
  ['{{ $value | humanize }}', 1_234_567, '1.235M'],
  ['{{ $value | humanize }}', 0.00123, '1.23m'],
  ['{{ humanize1024 $value }}', 1_572_864, '1.5Mi'],
  ['{{ $value | humanizePercentage }}', 0.0512, '5.12%'],
  ['{{ $value | humanizeDuration }}', 5_425, '1h 30m 25s'],
  ['{{ $value | humanizeDuration }}', 0.25, '250ms'],
  ['{{ printf "%.2f of %s, %d%%" $value $labels.a 3 }}', 1.005, '1.00 of x, 3%'],
  ['{{ $value | printf "%05.1f" }}', 3.14, '003.1'],
  ['{{ printf "%s" }}', 0, '%!s(MISSING)'],
  ['{{ $labels.a | toUpper | printf "%q" }}', 0, '"X"'],
  ['{{ "a | b" }}', 0, 'a | b'],
  ['{{ $externalURL }}', 0, 'http://m'],
  ['{{ $value }}', Infinity, '+Inf'],
])('%s of %d is %s', (source, value, text) => {
  expect(compileTemplate(source)({ labels: { a: 'x', b: 'y' }, value, externalUrl: 'http://m' })).toBe(text);
});

test.each([
  ['{{ $value', 'got {{ without an end, want }}'],
  ['{{ }}', 'got {{}}, want a value'],
  ['{{ range $x }}', 'got range, want $labels.<name>'],
  ['{{ humanize }}', 'got 0 values for humanize, want 1'],
  ['{{ $value | $value }}', 'got $value, want $labels.<name>'],
  ['{{ $labels.a.b }}', 'got $labels.a.b, want'],
  ['{{ "x }}', 'got "x, want a value or a function'],
])('%s is refused', (source, message) => {
  expect(() => compileTemplate(source)).toThrow(`cannot read template: ${message}`);
});

test.each([0, 951_782_400_123, 1_709_164_799_999, 1_735_689_599_000, 4_102_444_800_000])('time %d', (ms) => {
  expect(timeText(ms)).toBe(new Date(ms).toISOString());
});
