/**
 * A list of objects as a table. Our APIs name units last (`residentBytes`, `lagSeconds`), so that a column's
 * text follows from its name, and a new field shows without a change here.
 */
import type { ComponentChild, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { formatAge, formatTime } from '../model/time-range.ts';
import { compareValues } from '../model/transformations.ts';
import { unitText } from '../model/units.ts';

export type PlainRecord = Readonly<Record<string, unknown>>;

// Of use to programs only.
const HIDDEN: readonly string[] = ['topicId', 'protocolType'];

export function RecordTable(props: {
  records: readonly PlainRecord[];
  /** Columns that come first, in this order; the others follow as they come. */
  first: readonly string[];
  utc: boolean;
  empty: string;
}): JSX.Element {
  const [sort, setSort] = useState<{ column: string; desc: boolean } | undefined>(undefined);
  if (props.records.length === 0) return <p class="empty">{props.empty}</p>;
  const known = new Set(props.records.flatMap((record) => Object.keys(record)));
  for (const name of HIDDEN) known.delete(name);
  const columns = [
    ...props.first.filter((name) => known.has(name)),
    ...[...known].filter((name) => !props.first.includes(name)),
  ];
  const records = [...props.records];
  if (sort) records.sort((a, b) => compareValues(a[sort.column], b[sort.column]) * (sort.desc ? -1 : 1));
  return (
    <div class="table-scroll">
      <table class="data">
        <thead>
          <tr>
            {columns.map((column) => (
              <th class={isNumeric(records, column) ? 'number' : ''} key={column}>
                <button
                  type="button"
                  onClick={() => setSort({ column, desc: sort?.column === column ? !sort.desc : false })}
                >
                  {titleIn(columns, column)}
                  {sort?.column === column && (sort.desc ? ' ↓' : ' ↑')}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {records.map((record, index) => (
            <tr key={index}>
              {columns.map((column) => (
                <td class={typeof record[column] === 'number' ? 'number' : ''} key={column}>
                  {cellOf(column, record[column], props.utc)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function isNumeric(records: readonly PlainRecord[], column: string): boolean {
  return records.some((record) => typeof record[column] === 'number');
}

/** Two columns of one title keep the unit that tells them apart: `lag` and `lagSeconds`. */
function titleIn(columns: readonly string[], name: string): string {
  const title = columnTitle(name);
  const [, unit] = /(AtMs|Ms|Bytes|Seconds|Ratio)$/.exec(name) ?? [];
  const same = columns.some((other) => other !== name && columnTitle(other) === title);
  return same && unit ? `${title}, ${unit.toLowerCase()}` : title;
}

/** Names that their letters do not give. */
const TITLES: ReadonlyMap<string, string> = new Map([
  ['clickhouse', 'ClickHouse'],
  ['uptimeMs', 'Up for'],
]);

/** `residentBytes` → `Resident`, `lagSeconds` → `Lag`. */
export function columnTitle(name: string): string {
  const known = TITLES.get(name);
  if (known !== undefined) return known;
  const words = name
    .replace(/(AtMs|At|Ms|Bytes|Seconds|Ratio)$/, (unit) => (name === unit ? unit : ''))
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
  const text = words === '' ? name : words;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function cellOf(name: string, value: unknown, utc: boolean): ComponentChild {
  if (value === null || value === undefined) return '';
  if (name === 'state' && typeof value === 'string') return <StateChip state={value} />;
  return cellText(name, value, utc);
}

/** The text of a value by the unit in its name. */
export function cellText(name: string, value: unknown, utc: boolean): string {
  if (typeof value === 'number') {
    if (/Bytes$|^bytes$/.test(name)) return unitText('bytes', value);
    if (name.endsWith('AtMs')) return formatTime(value, utc);
    if (/uptimeMs$/i.test(name)) return formatAge(value);
    if (name.endsWith('Ms')) return unitText('ms', value);
    if (name.endsWith('Seconds')) return unitText('s', value);
    if (name.endsWith('Ratio')) return unitText('percentunit', value);
    return Number.isInteger(value) && /port|pid|^id$|partition$/i.test(name)
      ? String(value)
      : value.toLocaleString('en-US');
  }
  if (typeof value === 'string' && name.endsWith('At')) {
    const ms = Date.parse(value);
    return Number.isNaN(ms) ? value : formatTime(ms, utc);
  }
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) {
    return value.map((one) => cellText(name, one, utc)).join(', ');
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    const { host, port } = value as { host?: unknown; port?: unknown };
    if (typeof host === 'string' && typeof port === 'number') return `${host}:${port}`;
    return entries.map(([key, one]) => `${key} ${cellText(key, one, utc)}`).join(', ');
  }
  return String(value);
}

const STATE_KINDS: Readonly<Record<string, string>> = {
  running: 'live',
  ready: 'live',
  up: 'live',
  ok: 'live',
  Stable: 'live',
  inactive: 'live',
  starting: 'warn',
  restarting: 'warn',
  pending: 'warn',
  PreparingRebalance: 'warn',
  CompletingRebalance: 'warn',
  stopped: 'error',
  dead: 'error',
  failed: 'error',
  firing: 'error',
  err: 'error',
};

export function StateChip({ state }: { state: string }): JSX.Element {
  const kind = Object.hasOwn(STATE_KINDS, state) ? STATE_KINDS[state] : 'paused';
  return <span class={`chip chip-${kind}`}>{state}</span>;
}
