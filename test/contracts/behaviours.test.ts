import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { describe, expect, test } from 'vitest';

import { namesIn, objection, readBehaviours } from '../support/behaviour-table.ts';

const ROOT = resolve(import.meta.dirname, '../..');

function sourceOf(path: string): string | undefined {
  const file = join(ROOT, path);
  return path.endsWith('.test.ts') && existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

describe('broker/BEHAVIOURS.md', () => {
  const { rows, open } = readBehaviours(readFileSync(join(ROOT, 'broker/BEHAVIOURS.md'), 'utf8'));

  test('every behaviour names a test that is there', () => {
    expect(rows.length).toBeGreaterThan(200);
    expect(rows.flatMap((row) => objection(row, sourceOf) ?? [])).toEqual([]);
  });

  test('no behaviour is told twice', () => {
    const told = rows.map(({ behaviour }) => behaviour);
    expect(told.filter((one, i) => told.indexOf(one) !== i)).toEqual([]);
  });

  // The number is in the title, so that every run shows it.
  test(`${rows.length} behaviours have a test, ${open.length} are not so yet, each with its reason`, () => {
    expect(open.filter((entry) => !/^- .+: .+/.test(entry))).toEqual([]);
  });
});

describe('the check finds', () => {
  const source = [
    `test('one is one', () => {});`,
    `test.each([['a row']])('%s is fine', () => {});`,
    'describe.skipIf(no)(`of ${what}`, () => {});',
  ].join('\n');
  const cases: Array<{ row: string; want: RegExp }> = [
    { row: '| a | |', want: /line 1 names no test/ },
    { row: '| a | gone.test.ts › one |', want: /gone.test.ts, which is not there/ },
    { row: '| a | x.test.ts |', want: /names no title in x.test.ts/ },
    { row: '| a | x.test.ts › two is two |', want: /no title in x.test.ts says “two is two”/ },
    { row: '| a | x.test.ts › one is › is two |', want: /says “is two”/ },
    { row: '| a | x.test.ts › one; x.test.ts › two |', want: /says “two”/ },
    { row: '| a | x.test.ts › one is one |', want: /^nothing$/ },
    { row: '| a | x.test.ts › a row › is fine |', want: /^nothing$/ },
  ];
  for (const { row, want } of cases) {
    test(`${row}: ${want.source}`, () => {
      const said = objection(readBehaviours(row).rows[0]!, (path) =>
        path === 'x.test.ts' ? source : undefined,
      );
      expect(said ?? 'nothing').toMatch(want);
    });
  }

  test('texts of a file whose titles are all whole are no titles', () => {
    const whole = `test('one', () => { say('two'); });`;
    expect(namesIn(whole)).toEqual({ titles: ['one'], literals: ['one', 'two'] });
    const row = readBehaviours('| a | x.test.ts › two |').rows[0]!;
    expect(objection(row, () => whole)).toMatch(/says “two”/);
  });
});
