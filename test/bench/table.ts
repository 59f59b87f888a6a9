import { formatTable } from '../../deploy/terminal/table.ts';
import type { Figure } from './bench.ts';

export interface Row extends Figure {
  readonly bench: string;
}

/** One table of all that was measured. */
export function benchTable(rows: readonly Row[]): string {
  const values = rows.map(({ value }) => formatValue(value));
  const width = Math.max(0, ...values.map(({ length }) => length));
  const cells = rows.map(({ bench, what, unit, note }, index) => [
    bench,
    what,
    values[index]!.padStart(width),
    unit,
    note ?? '',
  ]);
  return formatTable(['bench', 'what', 'value', 'unit', 'note'], cells, Number.POSITIVE_INFINITY);
}

/** Three significant digits, thousands apart: more would pretend to a precision that one run does not have. */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) < 100) return String(Number(value.toPrecision(3)));
  const scale = 10 ** Math.max(0, Math.floor(Math.log10(Math.abs(value))) - 2);
  return String(Math.round(value / scale) * scale).replaceAll(/\B(?=(\d{3})+$)/g, ' ');
}
