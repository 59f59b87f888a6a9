/** What the viewer renders of classic dashboard JSON. Anything else in a file is named where it would show. */
import type { Dashboard, FieldConfig, Panel } from './dashboard.ts';
import { accepts, CUSTOM_OPTIONS, FIELD_OPTIONS, type Options, PANEL_OPTIONS } from './supported-options.ts';
import { knowsTransformation } from './transformations.ts';

const VARIABLE_TYPES: readonly string[] = [
  'datasource',
  'query',
  'custom',
  'textbox',
  'constant',
  'interval',
];
const DATASOURCE = 'grafana-clickhouse-datasource';

/** What of a panel the viewer cannot show, in words; empty when it can show all. */
export function unsupported(panel: Panel): string[] {
  if (panel.libraryPanel !== undefined) return ['library panel'];
  const found: string[] = [];
  const known = PANEL_OPTIONS[panel.type];
  if (!known) found.push(`panel type ${panel.type}`);
  if (panel.repeat) found.push('repeat by a variable');
  if (panel.timeFrom) found.push(`time range of its own: ${panel.timeFrom}`);
  if (panel.timeShift) found.push(`time shift: ${panel.timeShift}`);
  if ((panel.links ?? []).length > 0) found.push('links of the panel');
  for (const { datasource } of panel.targets ?? []) {
    const type = typeof datasource === 'object' ? datasource?.type : undefined;
    if (type !== undefined && type !== DATASOURCE) found.push(`data source ${type}`);
  }
  for (const { id, disabled } of panel.transformations ?? []) {
    if (!disabled && !knowsTransformation(id)) found.push(`transformation ${id}`);
  }
  if (known) {
    found.push(...refused(panel.options ?? {}, known, ''));
    found.push(...refusedFields(panel, panel.fieldConfig?.defaults ?? {}));
    for (const { properties } of panel.fieldConfig?.overrides ?? []) {
      for (const { id, value } of properties) found.push(...refusedFields(panel, fieldConfigOf(id, value)));
    }
  }
  return [...new Set(found)];
}

/** The same of what belongs to no panel. */
export function unsupportedOfDashboard(dashboard: Dashboard): string[] {
  const found: string[] = [];
  for (const { type, name } of dashboard.templating?.list ?? []) {
    if (!VARIABLE_TYPES.includes(type)) found.push(`variable ${name} of type ${type}`);
  }
  for (const { name, builtIn, enable } of dashboard.annotations?.list ?? []) {
    if (!builtIn && enable !== false) found.push(`annotations ${name ?? ''}`.trim());
  }
  return found;
}

// Panel types without a table have no custom settings; what stands there was left by another type.
function refusedFields({ type }: Panel, { custom, links, ...rest }: FieldConfig): string[] {
  const known = CUSTOM_OPTIONS[type];
  const linked = (links ?? []).length > 0 && type !== 'table';
  return [
    ...refused(rest, FIELD_OPTIONS, ''),
    ...(linked ? ['data links'] : []),
    ...(known ? refused(custom ?? {}, known, '') : []),
  ];
}

/** An override's property as the configuration that it sets. */
function fieldConfigOf(id: string, value: unknown): FieldConfig {
  return id.startsWith('custom.') ? { custom: { [id.slice('custom.'.length)]: value } } : { [id]: value };
}

/** Options that are not accepted, with their values; objects are looked into as far as the table does. */
function refused(options: object, known: Options, prefix: string): string[] {
  return Object.entries(options as Record<string, unknown>).flatMap(([name, value]) => {
    const path = prefix + name;
    const inside = Object.keys(known).some((one) => one.startsWith(`${path}.`));
    if (inside && typeof value === 'object' && value !== null) return refused(value, known, `${path}.`);
    return accepts(known[path], value) ? [] : [`${path} ${textOf(value)}`];
  });
}

const VALUE_CHARS_MAX = 40;

function textOf(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text;
}
