/**
 * What every dashboard file of ours must keep to, so that it works in a stock Grafana and in the viewer. The
 * rules of grafana/dashboard-linter that fit ClickHouse, and ours for SQL.
 */
import type { Dashboard, RowPanel } from './dashboard.ts';
import { COLUMNS } from './dashboard.ts';
import type { GridPos, Panel } from './panel.ts';

/** Sentences, empty when all is well. */
export function lint(dashboard: Dashboard): string[] {
  const found: string[] = [];
  const say = (where: string, what: string): void => void found.push(`${where}: ${what}`);
  const panels = dashboard.panels.flatMap((panel) => [panel, ...(isRow(panel) ? panel.panels : [])]);

  if (dashboard.schemaVersion !== 42)
    say('dashboard', `schemaVersion is ${String(dashboard.schemaVersion)}, want 42`);
  if (dashboard.editable) say('dashboard', 'is editable: edits of a provisioned file are lost');
  if (!/^[a-z0-9-]{1,40}$/.test(dashboard.uid)) say('dashboard', `uid ${dashboard.uid} is no plain name`);
  if (!dashboard.description) say('dashboard', 'has no description');
  if ('__inputs' in dashboard) say('dashboard', 'has __inputs: Grafana then cannot find the data source');
  lintVariables(dashboard, say);

  const ids = new Set<number>();
  for (const panel of panels) {
    const where = `panel ${panel.id} ${JSON.stringify(panel.title)}`;
    if (ids.has(panel.id)) say(where, 'its id is used twice');
    ids.add(panel.id);
    if ('libraryPanel' in panel) say(where, 'is a library panel, which lives in a database');
    if (panel.gridPos.x < 0 || panel.gridPos.x + panel.gridPos.w > COLUMNS) say(where, 'leaves the grid');
    if (!panel.title) say(where, 'has no title');
    if (!isRow(panel)) lintPanel(panel, dashboard, (what) => say(where, what));
  }
  for (const [index, panel] of panels.entries()) {
    const other = panels.slice(index + 1).find((one) => overlap(panel.gridPos, one.gridPos));
    if (other) say(`panel ${panel.id}`, `overlaps panel ${other.id}`);
  }
  return found;
}

function lintVariables({ templating }: Dashboard, say: (where: string, what: string) => void): void {
  const [first] = templating.list;
  if (first?.name !== 'datasource' || first.type !== 'datasource') {
    say('variables', 'the first is not the data source');
  }
  for (const variable of templating.list) {
    const where = `variable ${variable.name}`;
    if (!variable['label']) say(where, 'has no label');
    if (variable.type === 'query' && variable['refresh'] !== 2) {
      say(where, 'does not refresh when the time range changes');
    }
    if (variable.type === 'query') {
      const { rawSql } = variable['query'] as { rawSql: string };
      if (!TIME_MACRO.test(rawSql)) say(where, 'its SQL has no time filter');
      if (!/\bLIMIT \d+/.test(rawSql)) say(where, 'its SQL has no LIMIT');
    }
  }
}

const TIME_MACRO = /\$__(timeFilter|timeFilter_ms|dateTimeFilter|dt)\(/;
const REFERENCE = /\$\{(\w+)(?::(\w+))?[^}]*\}|\$(\w+)/g;
const BUILT_IN = /^__/;
const ESCAPING = new Set(['sqlstring', 'singlequote']);

function lintPanel(panel: Panel, { templating }: Dashboard, say: (what: string) => void): void {
  if (!panel.description) say('has no description');
  if (panel.type !== 'logs' && !panel.fieldConfig.defaults.unit) say('has no unit');
  if (panel.type !== 'logs' && !panel.fieldConfig.defaults.noValue)
    say('says nothing when there is no value');
  if (panel.targets.length === 0) say('has no query');
  const variables = new Map(templating.list.map(({ name, type }) => [name, type]));
  for (const { refId, rawSql, datasource } of panel.targets) {
    const where = `query ${refId}`;
    if (datasource.uid !== '${datasource}') say(`${where} does not use the data source variable`);
    if (!TIME_MACRO.test(rawSql)) say(`${where} has no time filter`);
    if (panel.type === 'logs' && !/\bLIMIT \d+/.test(rawSql)) say(`${where} has no LIMIT`);
    for (const [reference, braced, format, plain] of rawSql.matchAll(REFERENCE)) {
      const name = braced ?? plain ?? '';
      if (BUILT_IN.test(name)) continue;
      if (!variables.has(name)) say(`${where} uses ${reference}, which is no variable`);
      // As the last argument of $__conditionalAll a variable is only named.
      else if (braced !== undefined && !ESCAPING.has(format ?? '')) {
        say(`${where} uses ${reference} without an escaping format`);
      }
    }
    const bare = rawSql.replaceAll(/,\s*\$\w+\)/g, ')');
    for (const [, , , plain] of bare.matchAll(REFERENCE)) {
      if (plain !== undefined && !BUILT_IN.test(plain))
        say(`${where} uses $${plain} without an escaping format`);
    }
  }
}

function isRow(panel: Panel | RowPanel): panel is RowPanel {
  return panel.type === ('row' as string);
}

function overlap(a: GridPos, b: GridPos): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}
