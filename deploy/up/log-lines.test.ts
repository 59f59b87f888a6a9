import { expect, test } from 'vitest';

import { formatLogLine, readLogLine } from './log-lines.ts';

test('a line of pino is read with its fields, anything else is kept as it is', () => {
  const text = '{"level":40,"time":1700000000000,"topic":"t","msg":"slow"}';
  expect(readLogLine('broker', text, 'stdout', 1)).toEqual({
    part: 'broker',
    level: 40,
    timeMs: 1_700_000_000_000,
    message: 'slow',
    fields: { topic: 't' },
  });
  expect(readLogLine('store', 'Segmentation fault', 'stderr', 5)).toMatchObject({ level: 40, timeMs: 5 });
  expect(readLogLine('store', '{not json', 'stdout', 5)).toMatchObject({ level: 30, message: '{not json' });
});

test('a person sees time, level, part, message and fields', () => {
  const line = {
    part: 'sink',
    level: 50,
    timeMs: 0,
    message: 'cannot insert',
    fields: { table: 'otel_logs' },
  };
  expect(formatLogLine(line, false)).toBe('00:00:00.000 ERROR sink      cannot insert table=otel_logs');
});
