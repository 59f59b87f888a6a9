/** One log line as the viewer holds it, and how lines of several sources become one list. */

export interface LogRow {
  /** The same line has the same key, from a query or from the live tail: time, source, text, and a count. */
  key: string;
  /** Unix nanoseconds in decimal. */
  timeNs: string;
  line: string;
  level: Level;
  labels: Readonly<Record<string, string>>;
}

export type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'unknown';

export const LEVELS: readonly Level[] = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'unknown'];

export const LEVEL_COLORS: Readonly<Record<Level, string>> = {
  fatal: '#C4162A',
  error: '#F2495C',
  warn: '#FF9830',
  info: '#73BF69',
  debug: '#5794F2',
  trace: '#B877D9',
  unknown: '#8E8E99',
};

const LEVEL_WORDS: ReadonlyMap<string, Level> = new Map<string, Level>([
  ...(['fatal', 'critical', 'crit', 'emerg', 'emergency', 'alert', 'panic'] as const).map(
    (word): [string, Level] => [word, 'fatal'],
  ),
  ...(['error', 'err', 'eror', 'severe'] as const).map((word): [string, Level] => [word, 'error']),
  ...(['warn', 'warning'] as const).map((word): [string, Level] => [word, 'warn']),
  ...(['info', 'information', 'notice'] as const).map((word): [string, Level] => [word, 'info']),
  ...(['debug', 'dbug'] as const).map((word): [string, Level] => [word, 'debug']),
  ...(['trace', 'verbose'] as const).map((word): [string, Level] => [word, 'trace']),
]);

/** @param text any spelling, also `INFO2` or `Warning` */
export function levelOf(text: string | undefined): Level {
  const word = (text ?? '').toLowerCase().replace(/[^a-z]/g, '');
  return LEVEL_WORDS.get(word) ?? 'unknown';
}

export function levelOfLabels(labels: Readonly<Record<string, string>>): Level {
  for (const name of ['level', 'detected_level', 'severity_text', 'severity', 'lvl']) {
    const level = levelOf(Object.hasOwn(labels, name) ? labels[name] : undefined);
    if (level !== 'unknown') return level;
  }
  return 'unknown';
}

export interface PlainLine {
  timeNs: string;
  line: string;
  labels: Readonly<Record<string, string>>;
  level?: Level;
}

/** Lines newest first with keys; lines of the same nanosecond stay in the order given. */
export function rowsOf(lines: readonly PlainLine[]): LogRow[] {
  const counts = new Map<string, number>();
  return [...lines]
    .sort((a, b) => compareNs(b.timeNs, a.timeNs))
    .map(({ timeNs, line, labels, level }) => {
      const plain = `${timeNs}\n${sourceOf(labels)}\n${line.length > 200 ? `${line.length}${line.slice(0, 200)}` : line}`;
      const count = counts.get(plain) ?? 0;
      counts.set(plain, count + 1);
      return { key: `${plain}\n${count}`, timeNs, line, level: level ?? levelOfLabels(labels), labels };
    });
}

// Query and live tail may differ in labels that are made from others: these are the sender's own.
const SOURCE_LABELS = ['service_name', 'host_name', 'log_file_path', 'log_file_record_offset'];

function sourceOf(labels: Readonly<Record<string, string>>): string {
  return SOURCE_LABELS.map((name) => (Object.hasOwn(labels, name) ? labels[name] : '')).join('\t');
}

/** Adds rows that are not there yet, newest first, at most `max` (the oldest go). */
export function mergeRows(a: readonly LogRow[], b: readonly LogRow[], max: number): LogRow[] {
  const known = new Set(a.map(({ key }) => key));
  const fresh = b.filter(({ key }) => !known.has(key));
  const result: LogRow[] = [];
  let [left, right] = [0, 0];
  while (result.length < max && (left < a.length || right < fresh.length)) {
    const one = a[left];
    const other = fresh[right];
    if (one && (!other || compareNs(one.timeNs, other.timeNs) >= 0)) {
      result.push(one);
      left += 1;
    } else if (other) {
      result.push(other);
      right += 1;
    }
  }
  return result;
}

/** Decimal texts of nanoseconds: numbers would lose the last three digits. */
export function compareNs(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

export function nsToMs(timeNs: string): number {
  return Number(timeNs.slice(0, -6) || '0');
}

/** The nine digits below a second. */
export function subSecond(timeNs: string): string {
  return timeNs.padStart(10, '0').slice(-9);
}
