import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Dashboard, Panel } from './dashboard.ts';
import { unsupported } from './support.ts';

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
  expect(problems).toEqual([]);
});

test('what it cannot show is named', () => {
  expect(unsupported({ type: 'geomap', repeat: 'host', transformations: [{ id: 'formatTime' }] })).toEqual([
    'panel type geomap',
    'repeat by a variable',
    'transformation formatTime',
  ]);
});
