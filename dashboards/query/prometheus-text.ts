/** Prometheus' text exposition format 0.0.4. */
import type { Labels, MetricFamily } from '../../broker/host/metrics.ts';

export const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

export interface PartFamilies {
  readonly part: string;
  readonly families: readonly MetricFamily[];
}

/**
 * One HELP and TYPE a name, all parts' series below it with the label `part`. Of one name with two types the
 * first is kept: a scrape that contradicts itself is refused whole.
 */
export function prometheusText(parts: readonly PartFamilies[]): string {
  const byName = new Map<string, { help: string; type: MetricFamily['type']; lines: string[] }>();
  for (const { part, families } of parts) {
    for (const family of families) {
      let entry = byName.get(family.name);
      if (!entry) {
        entry = { help: family.help, type: family.type, lines: [] };
        byName.set(family.name, entry);
      }
      if (entry.type === family.type) writeSeries(family, part, entry.lines);
    }
  }
  let text = '';
  for (const [name, { help, type, lines }] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (lines.length === 0) continue;
    text += `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`;
    text += `# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
  }
  return text;
}

function writeSeries({ name, series }: MetricFamily, part: string, lines: string[]): void {
  for (const { labels, value, buckets } of series) {
    const all: Labels = { ...labels, part };
    if (!buckets) {
      lines.push(`${name}${labelText(all)} ${numberText(value)}`);
      continue;
    }
    let cumulative = 0;
    for (const [index, bound] of buckets.bounds.entries()) {
      cumulative += buckets.counts[index] ?? 0;
      lines.push(`${name}_bucket${labelText({ ...all, le: numberText(bound) })} ${cumulative}`);
    }
    lines.push(`${name}_bucket${labelText({ ...all, le: '+Inf' })} ${buckets.count}`);
    lines.push(`${name}_sum${labelText(all)} ${numberText(value)}`);
    lines.push(`${name}_count${labelText(all)} ${buckets.count}`);
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return `{${pairs.join(',')}}`;
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** As Prometheus' parser reads numbers. */
export function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
