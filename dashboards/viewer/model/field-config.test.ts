import { expect, test } from 'vitest';
import type { FieldConfig, Frame, Override } from './dashboard.ts';
import { displayText, displayValue, prepareFrames, seriesColor, valueColor } from './field-config.ts';

const FRAME: Frame = {
  refId: 'A',
  fields: [
    { name: 'time', type: 'time', values: [0, 1000] },
    { name: 'Value', type: 'number', labels: { level: 'error' }, values: [1, 1536000] },
    { name: 'count', type: 'number', labels: { level: 'info', service: 'a' }, values: [3, null] },
  ],
};

function prepared(defaults: FieldConfig = {}, overrides: Override[] = []) {
  const result = prepareFrames([FRAME], { fieldConfig: { defaults, overrides } }, 'dark');
  const [, first, second] = result.frames[0]?.fields ?? [];
  if (!first || !second) throw new Error('two numeric fields');
  return { first, second, notices: result.notices };
}

test('names: Value shows its labels, one label its value only', () => {
  const { first, second } = prepared();
  expect(first.displayName).toBe('error');
  expect(second.displayName).toBe('count {level="info", service="a"}');
});

test('a display name may use field labels', () => {
  const { first } = prepared({ displayName: 'level ${__field.labels.level} of ${__field.name}' });
  expect(first.displayName).toBe('level error of Value');
});

const OVERRIDES: [string, Override['matcher'], boolean, boolean][] = [
  ['byName on the display name', { id: 'byName', options: 'error' }, true, false],
  ['byName on the column', { id: 'byName', options: 'count' }, false, true],
  ['byRegexp', { id: 'byRegexp', options: '/^err/' }, true, false],
  ['byRegexp with a flag', { id: 'byRegexp', options: '/INFO/i' }, false, true],
  ['byFrameRefID', { id: 'byFrameRefID', options: 'A' }, true, true],
  ['byFrameRefID of another query', { id: 'byFrameRefID', options: 'B' }, false, false],
  ['byType', { id: 'byType', options: 'number' }, true, true],
  ['byNames exclude', { id: 'byNames', options: { mode: 'exclude', names: ['error'] } }, false, true],
];

test.each(OVERRIDES)('%s', (_, matcher, onFirst, onSecond) => {
  const { first, second } = prepared({ unit: 'short' }, [
    {
      matcher,
      properties: [
        { id: 'unit', value: 'bytes' },
        { id: 'custom.lineWidth', value: 3 },
      ],
    },
  ]);
  expect([first.config.unit, second.config.unit]).toEqual([
    onFirst ? 'bytes' : 'short',
    onSecond ? 'bytes' : 'short',
  ]);
  expect(first.config.custom?.['lineWidth']).toBe(onFirst ? 3 : undefined);
});

test('an unknown matcher is named, not ignored', () => {
  const { notices } = prepared({}, [{ matcher: { id: 'byMoon' }, properties: [] }]);
  expect(notices).toEqual(['override matcher byMoon']);
});

test('colours: fixed, palette, thresholds', () => {
  expect(seriesColor(prepared({ color: { mode: 'fixed', fixedColor: 'red' } }).first)).toBe('#F2495C');
  expect(seriesColor(prepared({ color: { mode: 'palette-classic' } }).second)).toBe('#F2CC0C');
  const config: FieldConfig = {
    color: { mode: 'thresholds' },
    thresholds: {
      mode: 'absolute',
      steps: [
        { value: null, color: 'green' },
        { value: 80, color: 'red' },
      ],
    },
  };
  const { first } = prepared(config);
  expect(valueColor(first, 79.9)).toBe('#73BF69');
  expect(valueColor(first, 80)).toBe('#F2495C');
  expect(valueColor(first, null)).toBe('#73BF69');
  const percentage = prepared({
    ...config,
    min: 0,
    max: 1000,
    thresholds: { ...config.thresholds, mode: 'percentage' },
  });
  expect(valueColor(percentage.first, 799)).toBe('#73BF69');
  expect(valueColor(percentage.first, 800)).toBe('#F2495C');
});

test('mappings: value, range, regex, special, the first that fits', () => {
  const { first } = prepared({
    unit: 'bytes',
    mappings: [
      { type: 'value', options: { '1': { text: 'one', color: 'blue' } } },
      { type: 'range', options: { from: 2, to: 5, result: { text: 'few' } } },
      { type: 'regex', options: { pattern: '^a', result: { text: 'letter' } } },
      { type: 'special', options: { match: 'null', result: { text: 'nothing' } } },
    ],
  });
  expect([1, 3, 'abc', null, 1536000].map((value) => displayText(first, value))).toEqual([
    'one',
    'few',
    'letter',
    'nothing',
    '1.46 MiB',
  ]);
  expect(displayValue(first, 1).color).toBe('#5794F2');
});

test('no value reads as the panel says', () => {
  expect(displayText(prepared({ noValue: 'quiet' }).first, null)).toBe('quiet');
});
