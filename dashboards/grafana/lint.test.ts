import { expect, test } from 'vitest';

import { clickhouseQuery } from './clickhouse-query.ts';
import { type Dashboard, dashboard } from './dashboard.ts';
import { DASHBOARDS } from './dashboards.ts';
import { lint } from './lint.ts';
import { type PanelDraft, timeSeries } from './panel.ts';
import { datasourceVariable, queryVariable, textboxVariable } from './variable.ts';

test.each(DASHBOARDS)('$file has nothing to complain about', ({ dashboard: one }) => {
  expect(lint(one)).toEqual([]);
});

const GOOD = 'SELECT time, Value FROM t WHERE $__timeFilter(time)';

function panel(id: number, more: Partial<Parameters<typeof timeSeries>[0]> = {}): PanelDraft {
  return timeSeries({
    id,
    title: `Panel ${id}`,
    description: 'What it shows.',
    unit: 'short',
    width: 12,
    targets: [clickhouseQuery('timeseries', GOOD)],
    ...more,
  });
}

function board(panels: PanelDraft[], more: Partial<Dashboard> = {}): Dashboard {
  const made = dashboard({
    uid: 'test',
    title: 'Test',
    description: 'A test.',
    tags: [],
    from: 'now-1h',
    refresh: '10s',
    variables: [datasourceVariable(), textboxVariable({ name: 'search', label: 'Search', description: 'd' })],
    sections: [{ height: 8, panels }],
  });
  return { ...made, ...more };
}

const sql = (rawSql: string) => ({ targets: [clickhouseQuery('timeseries', rawSql)] });

test('a clean dashboard is clean', () => {
  const conditional = `${GOOD} AND $__conditionalAll(a = \${search:sqlstring}, $search)`;
  expect(lint(board([panel(1), panel(2, sql(conditional))]))).toEqual([]);
});

const bad: ReadonlyArray<readonly [name: string, made: Dashboard, complaint: string]> = [
  ['two panels of one id', board([panel(1), panel(1)]), 'its id is used twice'],
  ['no description', board([panel(1, { description: '' })]), 'has no description'],
  ['no unit', board([panel(1, { unit: '' })]), 'has no unit'],
  ['no query', board([panel(1, { targets: [] })]), 'has no query'],
  ['no time filter', board([panel(1, sql('SELECT 1'))]), 'query A has no time filter'],
  ['unknown variable', board([panel(1, sql(`${GOOD} AND a = \${who:sqlstring}`))]), 'which is no variable'],
  ['raw text', board([panel(1, sql(`${GOOD} AND a = '\${search}'`))]), 'uses ${search} without'],
  ['bare text', board([panel(1, sql(`${GOOD} AND a = '$search'`))]), 'uses $search without'],
  ['another schema', board([panel(1)], { schemaVersion: 39 as 42 }), 'schemaVersion is 39'],
  ['editable', board([panel(1)], { editable: true as false }), 'is editable'],
  ['inputs', board([panel(1)], { __inputs: [] } as Partial<Dashboard>), 'has __inputs'],
  ['no data source', board([panel(1)], { templating: { list: [] } }), 'the first is not the data source'],
  [
    'a variable that never refreshes',
    board([panel(1)], {
      templating: {
        list: [
          datasourceVariable(),
          { ...queryVariable({ name: 'a', label: 'A', description: 'd', rawSql: 'SELECT 1' }), refresh: 1 },
        ],
      },
    }),
    'does not refresh',
  ],
  [
    'overlapping panels',
    {
      ...board([panel(1), panel(2)]),
      panels: board([panel(1), panel(2)]).panels.map((one) => ({
        ...one,
        gridPos: { h: 8, w: 12, x: 0, y: 0 },
      })),
    } as Dashboard,
    'overlaps panel 2',
  ],
];

test.each(bad)('%s is found', (_name, made, complaint) => {
  expect(lint(made).join('\n')).toContain(complaint);
});
