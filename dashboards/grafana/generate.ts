/** Writes the dashboards' JSON beside this file: `node dashboards/grafana/generate.ts`. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { DASHBOARDS, dashboardText } from './dashboards.ts';

for (const { file, dashboard } of DASHBOARDS) {
  writeFileSync(fileURLToPath(new URL(file, import.meta.url)), dashboardText(dashboard));
}
