/** Small edits of LogQL text: what a click on a label does to the query. */

export const DEFAULT_QUERY = '{service_name=~".+"}';

export const EXAMPLES: readonly { query: string; text: string }[] = [
  { query: '{service_name=~".+"}', text: 'everything' },
  { query: '{service_name=~".+"} |= "error"', text: 'lines with a word' },
  { query: '{service_name="millrace-broker"}', text: 'one service' },
  { query: '{service_name=~".+", service_name!~"millrace.*"}', text: 'all but our own' },
];

/** The part between the first braces: start after `{`, end at `}`; quotes may hold braces. */
function selectorSpan(query: string): { start: number; end: number } | undefined {
  const start = query.indexOf('{');
  if (start < 0) return undefined;
  let quote = '';
  for (let index = start + 1; index < query.length; index++) {
    const letter = query[index] ?? '';
    if (quote !== '') {
      if (letter === '\\' && quote === '"') index += 1;
      else if (letter === quote) quote = '';
    } else if (letter === '"' || letter === '`') quote = letter;
    else if (letter === '}') return { start: start + 1, end: index };
  }
  return undefined;
}

/** Adds `label op "value"` to the selector, or takes it away when it is there already. */
export function toggleMatcher(query: string, label: string, op: '=' | '!=', value: string): string {
  const span = selectorSpan(query);
  const matcher = `${label}${op}${JSON.stringify(value)}`;
  if (!span) return `{${matcher}}`;
  const matchers = splitMatchers(query.slice(span.start, span.end));
  const opposite = `${label}${op === '=' ? '!=' : '='}${JSON.stringify(value)}`;
  const plain = (text: string): string => text.replaceAll(/\s*(!=|=~|!~|=)\s*/g, '$1');
  const without = matchers.filter((one) => plain(one) !== matcher && plain(one) !== opposite);
  const next = matchers.some((one) => plain(one) === matcher) ? without : [...without, matcher];
  // A selector needs one matcher that is not empty: leave the last one alone.
  if (next.length === 0) return query;
  return `${query.slice(0, span.start)}${next.join(', ')}${query.slice(span.end)}`;
}

function splitMatchers(text: string): string[] {
  const parts: string[] = [];
  let quote = '';
  let part = '';
  for (let index = 0; index < text.length; index++) {
    const letter = text[index] ?? '';
    if (quote !== '') {
      if (letter === '\\' && quote === '"') {
        part += letter + (text[index + 1] ?? '');
        index += 1;
        continue;
      }
      if (letter === quote) quote = '';
    } else if (letter === '"' || letter === '`') quote = letter;
    if (letter === ',' && quote === '') {
      parts.push(part.trim());
      part = '';
    } else part += letter;
  }
  return [...parts, part.trim()].filter((one) => one !== '');
}

/** The selector of exactly one stream. */
export function streamSelector(labels: Readonly<Record<string, string>>): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(', ')}}`;
}

/** Texts after `|=`, to be marked in the lines. */
export function searchTerms(query: string): string[] {
  return [...query.matchAll(/\|=\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`)/g)]
    .map(([, quoted, raw]) => raw ?? unquote(quoted ?? ''))
    .filter((term) => term !== '');
}

function unquote(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

/** A query that gives numbers rather than lines: a function or aggregation around a selector. */
export function isMetricQuery(query: string): boolean {
  return /^\s*[\w(]/.test(query);
}

/** @param stepMs width of a bar */
export function volumeQuery(query: string, stepMs: number): string {
  return `sum by (level) (count_over_time(${query.trim()} [${stepMs}ms]))`;
}

const STEPS_MS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
].map((seconds) => seconds * 1000);

/** A round bar width so that about `bars` fit into the range. */
export function volumeStepMs(rangeMs: number, bars: number): number {
  const wanted = rangeMs / Math.max(1, bars);
  return STEPS_MS.find((step) => step >= wanted) ?? Math.ceil(wanted / 86_400_000) * 86_400_000;
}
