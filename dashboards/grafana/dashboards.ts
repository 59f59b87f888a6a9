/** Every dashboard that ships: one line a file. A new one is a source file, a line here, and `generate.ts`. */
import type { Dashboard } from './dashboard.ts';
import { host } from './host.ts';
import { logs } from './logs.ts';
import { pipeline } from './pipeline.ts';

export const DASHBOARDS: ReadonlyArray<{ readonly file: string; readonly dashboard: Dashboard }> = [
  { file: 'pipeline.json', dashboard: pipeline },
  { file: 'logs.json', dashboard: logs },
  { file: 'host.json', dashboard: host },
];

/** The file's text, as Grafana's provisioning and our web server read it. */
export function dashboardText(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}
