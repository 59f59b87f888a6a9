import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { DASHBOARDS, dashboardText } from './dashboards.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));

test.each(DASHBOARDS)('$file is what its source generates', ({ file, dashboard }) => {
  const text = readFileSync(`${folder}/${file}`, 'utf8');
  expect(text, 'stale: run node dashboards/grafana/generate.ts').toBe(dashboardText(dashboard));
});

test('every JSON file has a source', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  expect(files.sort()).toEqual(DASHBOARDS.map(({ file }) => file).sort());
});
