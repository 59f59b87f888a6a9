/** The dashboard files of one folder, in Grafana's classic JSON. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Log } from '../../broker/host/log.ts';

export interface DashboardFile {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly tags: readonly string[];
  /** The file, untouched. */
  readonly text: string;
  readonly panels: ReadonlyMap<number, PanelSource>;
  readonly variables: readonly VariableSource[];
}

export interface PanelSource {
  readonly targets: readonly TargetSource[];
  readonly interval?: string | undefined;
  readonly maxDataPoints?: number | undefined;
}

export interface TargetSource {
  readonly refId: string;
  readonly rawSql: string;
  readonly format: number;
  readonly hide: boolean;
}

export interface VariableSource {
  readonly name: string;
  readonly type: string;
  readonly query: string;
  readonly rawSql?: string | undefined;
  readonly regex: string;
  readonly sort: number;
  readonly multi: boolean;
  readonly includeAll: boolean;
  /** What stands for the variable when nothing was chosen. */
  readonly current: string | readonly string[];
  readonly allValue?: string | undefined;
  readonly options: ReadonlyArray<{ value: string; text: string }>;
}

/**
 * Read at every call: a folder of some files is read in a millisecond, and an edited file shows at the next
 * reload. A file that cannot be read is logged and left out; the others stay.
 */
export async function readDashboards(folder: string, log: Log): Promise<DashboardFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  const files: DashboardFile[] = [];
  for (const name of names) {
    try {
      files.push(parseDashboard(await readFile(join(folder, name), 'utf8')));
    } catch (error) {
      log.warn({ file: join(folder, name), error: String(error) }, 'cannot read a dashboard');
    }
  }
  return files;
}

/** Throws an Error that says what is wrong with the file. */
export function parseDashboard(text: string): DashboardFile {
  const root = record(JSON.parse(text));
  const uid = string(root['uid']);
  if (!root || uid === '') throw new Error('cannot use dashboard: got no uid, want one');
  const panels = new Map<number, PanelSource>();
  collectPanels(array(root['panels']), panels);
  return {
    uid,
    title: string(root['title']) || uid,
    description: string(root['description']),
    tags: array(root['tags']).map(String),
    text,
    panels,
    variables: array(record(root['templating'])['list']).map(variableOf),
  };
}

/** Collapsed rows hold their panels inside. */
function collectPanels(list: readonly unknown[], into: Map<number, PanelSource>): void {
  for (const one of list) {
    const panel = record(one);
    collectPanels(array(panel['panels']), into);
    const { id, interval, maxDataPoints } = panel;
    if (typeof id !== 'number' || panel['type'] === 'row') continue;
    into.set(id, {
      targets: array(panel['targets']).map(targetOf),
      interval: typeof interval === 'string' && interval !== '' ? interval : undefined,
      maxDataPoints: typeof maxDataPoints === 'number' ? maxDataPoints : undefined,
    });
  }
}

function targetOf(value: unknown): TargetSource {
  const target = record(value);
  const { format } = target;
  return {
    refId: string(target['refId']) || 'A',
    rawSql: string(target['rawSql']),
    format: typeof format === 'number' ? format : 0,
    hide: target['hide'] === true,
  };
}

function variableOf(value: unknown): VariableSource {
  const variable = record(value);
  const { query } = variable;
  const current = record(variable['current'])['value'];
  const allValue = variable['allValue'];
  return {
    name: string(variable['name']),
    type: string(variable['type']),
    query: string(query),
    rawSql: string(record(query)['rawSql']) || undefined,
    regex: string(variable['regex']),
    sort: typeof variable['sort'] === 'number' ? variable['sort'] : 0,
    multi: variable['multi'] === true,
    includeAll: variable['includeAll'] === true,
    current: Array.isArray(current) ? current.map(String) : string(current),
    allValue: typeof allValue === 'string' && allValue !== '' ? allValue : undefined,
    options: array(variable['options']).map((option) => ({
      value: string(record(option)['value']),
      text: string(record(option)['text']),
    })),
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function string(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
