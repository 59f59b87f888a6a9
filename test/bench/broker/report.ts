import { formatTable } from '../../../deploy/terminal/table.ts';
import { formatValue } from '../table.ts';
import type { Summary } from './samples.ts';

const HEAD = ['cell', 'measure', 'ours', 'Kafka', 'unit', 'ours/Kafka', 'min–max', 'better'];
const FIRST_NUMBER = Number.POSITIVE_INFINITY;

/** One table, a line for each measure of each cell; `better` says who is ahead. */
export function comparison(summaries: readonly Summary[]): string {
  const rows = summaries.map(({ cell, measure, unit, better, ours, kafka, ratio }) => [
    cell,
    measure,
    ours === undefined ? '-' : formatValue(ours),
    kafka === undefined ? '-' : formatValue(kafka),
    unit,
    ratio ? formatRatio(ratio.median) : '-',
    ratio ? `${formatRatio(ratio.min)}–${formatRatio(ratio.max)}` : '-',
    ratio ? verdict(ratio.median, better) : '',
  ]);
  return formatTable(HEAD, rows, FIRST_NUMBER);
}

function formatRatio(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2);
}

/** Within a few per cent neither is ahead. */
const EVEN = 1.03;

function verdict(ratio: number, better: Summary['better']): string {
  const ahead = better === 'more' ? ratio : 1 / ratio;
  if (ahead > EVEN) return 'ours';
  return ahead < 1 / EVEN ? 'Kafka' : 'even';
}
