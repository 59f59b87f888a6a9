import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Dashboard, Panel } from './dashboard.ts';
import { unsupported, unsupportedOfDashboard } from './support.ts';

const folder = fileURLToPath(new URL('../../grafana/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

function allPanels(panels: readonly Panel[]): Panel[] {
  return panels.flatMap((panel) => [panel, ...allPanels(panel.panels ?? [])]);
}

test.each(files)('the viewer can show all of %s', (file) => {
  const dashboard = JSON.parse(readFileSync(folder + file, 'utf8')) as Dashboard;
  const problems = allPanels(dashboard.panels ?? []).flatMap((panel) =>
    unsupported(panel).map((what) => `${panel.title}: ${what}`),
  );
  expect([...problems, ...unsupportedOfDashboard(dashboard)]).toEqual([]);
});

test.each<[string, Panel, string[]]>([
  ['a type', { type: 'geomap', options: { view: 1 } }, ['panel type geomap']],
  ['a library panel', { type: 'stat', libraryPanel: { uid: 'x' } }, ['library panel']],
  [
    'settings of the panel',
    {
      type: 'stat',
      repeat: 'host',
      timeFrom: '1h',
      links: [{ title: 'x' }],
      transformations: [{ id: 'formatTime' }, { id: 'other', disabled: true }],
      targets: [
        { refId: 'A', datasource: { type: 'prometheus' } },
        { refId: 'B', datasource: '${datasource}' },
      ],
    },
    [
      'repeat by a variable',
      'time range of its own: 1h',
      'links of the panel',
      'data source prometheus',
      'transformation formatTime',
    ],
  ],
  ['an option nobody knows', { type: 'stat', options: { sparkle: true } }, ['sparkle true']],
  [
    'values of known options',
    {
      type: 'timeseries',
      options: { legend: { placement: 'top', calcs: ['max'] }, tooltip: { mode: 'multi' } },
      fieldConfig: {
        defaults: {
          color: { mode: 'palette-rainbow' },
          links: [{ url: '/x' }],
          custom: {
            fillBelowTo: 'low',
            barAlignment: -1,
            axisBorderShow: false,
            scaleDistribution: { type: 'symlog', log: 10, linearThreshold: 1 },
          },
        },
        overrides: [
          {
            matcher: { id: 'byName', options: 'x' },
            properties: [
              { id: 'custom.transform', value: 'negative-Y' },
              { id: 'custom.scaleDistribution', value: { type: 'log', log: 2 } },
              { id: 'unit', value: 's' },
            ],
          },
        ],
      },
    },
    [
      'legend.placement top',
      'color.mode palette-rainbow',
      'data links',
      'fillBelowTo low',
      'barAlignment -1',
      'scaleDistribution.type symlog',
      'scaleDistribution.linearThreshold 1',
      'transform negative-Y',
    ],
  ],
  ['text as HTML', { type: 'text', options: { mode: 'html', content: '<b>' } }, ['mode html']],
  ['what another type left', { type: 'stat', fieldConfig: { defaults: { custom: { axisLabel: 'x' } } } }, []],
])('it names %s', (_, panel, notices) => {
  expect(unsupported(panel)).toEqual(notices);
});

test('it names what belongs to no panel', () => {
  expect(
    unsupportedOfDashboard({
      templating: {
        list: [
          { name: 'a', type: 'adhoc' },
          { name: 'b', type: 'query' },
        ],
      },
      annotations: { list: [{ name: 'Built in', builtIn: 1, enable: true }, { name: 'Deployments' }] },
    }),
  ).toEqual(['variable a of type adhoc', 'annotations Deployments']);
});
