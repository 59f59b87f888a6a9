/** Grafana's time range texts: `now-1h`, `now/d`, `now-1d/d`, Unix milliseconds or ISO 8601. */

export interface TimeRange {
  fromMs: number;
  toMs: number;
}

export interface RangeText {
  from: string;
  to: string;
}

export const RANGE_PRESETS: readonly (RangeText & { label: string })[] = [
  { from: 'now-5m', to: 'now', label: 'Last 5 minutes' },
  { from: 'now-15m', to: 'now', label: 'Last 15 minutes' },
  { from: 'now-30m', to: 'now', label: 'Last 30 minutes' },
  { from: 'now-1h', to: 'now', label: 'Last hour' },
  { from: 'now-3h', to: 'now', label: 'Last 3 hours' },
  { from: 'now-6h', to: 'now', label: 'Last 6 hours' },
  { from: 'now-12h', to: 'now', label: 'Last 12 hours' },
  { from: 'now-24h', to: 'now', label: 'Last 24 hours' },
  { from: 'now-2d', to: 'now', label: 'Last 2 days' },
  { from: 'now-7d', to: 'now', label: 'Last 7 days' },
  { from: 'now-30d', to: 'now', label: 'Last 30 days' },
  { from: 'now/d', to: 'now', label: 'Today so far' },
  { from: 'now-1d/d', to: 'now-1d/d', label: 'Yesterday' },
];

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  M: 30 * 86_400_000,
  y: 365 * 86_400_000,
};

/** `5s`, `1m`, `1h30m`… in milliseconds; undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwMy])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) return undefined;
  let total = 0;
  for (const [, amount = '0', unit = 's'] of parts)
    total += Number(amount) * (unit === 'ms' ? 1 : (UNIT_MS[unit] ?? 0));
  return total;
}

/** @param roundUp the end of a rounded unit rather than its start @returns Unix ms, undefined if unreadable */
export function parseTime(text: string, nowMs: number, roundUp: boolean, utc: boolean): number | undefined {
  if (/^\d{10,}$/.test(text)) return Number(text);
  if (!text.startsWith('now')) {
    const parsed = Date.parse(
      utc && /^\d{4}-\d\d-\d\d[ T][\d:.]+$/.test(text) ? `${text.replace(' ', 'T')}Z` : text,
    );
    return Number.isNaN(parsed) ? undefined : parsed;
  }
  let time = nowMs;
  let rest = text.slice(3);
  while (rest !== '') {
    const step = /^([+-])(\d+)([smhdwMy])/.exec(rest);
    const round = /^\/([smhdwMy])/.exec(rest);
    if (step) {
      time += (step[1] === '-' ? -1 : 1) * Number(step[2]) * (UNIT_MS[step[3] ?? ''] ?? 0);
      rest = rest.slice(step[0].length);
    } else if (round) {
      time = rounded(time, round[1] ?? 'd', roundUp, utc);
      rest = rest.slice(round[0].length);
    } else {
      return undefined;
    }
  }
  return time;
}

export function resolveRange({ from, to }: RangeText, nowMs: number, utc: boolean): TimeRange {
  const toMs = parseTime(to, nowMs, true, utc) ?? nowMs;
  const fromMs = parseTime(from, nowMs, false, utc) ?? toMs - 3_600_000;
  return fromMs < toMs ? { fromMs, toMs } : { fromMs: toMs - 1000, toMs };
}

function rounded(timeMs: number, unit: string, up: boolean, utc: boolean): number {
  // A local date shifted so that its UTC fields read as local ones: rounding is then the same for both.
  const offsetMs = utc ? 0 : new Date(timeMs).getTimezoneOffset() * 60_000;
  const date = new Date(timeMs - offsetMs);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  const more = up ? 1 : 0;
  let result: number;
  if (unit === 'y') result = Date.UTC(year + more, 0, 1);
  else if (unit === 'M') result = Date.UTC(year, month + more, 1);
  else if (unit === 'w') result = Date.UTC(year, month, day - ((date.getUTCDay() + 6) % 7) + 7 * more);
  else if (unit === 'd') result = Date.UTC(year, month, day + more);
  else {
    const size = UNIT_MS[unit] ?? 1000;
    result = (Math.floor(date.getTime() / size) + more) * size;
  }
  return result + offsetMs - more;
}

export function rangeLabel(range: RangeText, utc: boolean): string {
  const preset = RANGE_PRESETS.find(({ from, to }) => from === range.from && to === range.to);
  if (preset) return preset.label;
  const relative = /^now-(\d+)([smhdwMy])$/.exec(range.from);
  if (relative && range.to === 'now') return `Last ${relative[1] ?? ''} ${relative[2] ?? ''}`;
  const side = (text: string): string => (/^\d{10,}$/.test(text) ? formatTime(Number(text), utc) : text);
  return `${side(range.from)} to ${side(range.to)}`;
}

/** 2026-11-22 08:03:19, with `.123` on request. */
export function formatTime(ms: number, utc: boolean, millis = false): string {
  return `${formatDay(ms, utc)} ${formatClock(ms, utc, millis)}`;
}

export function formatDay(ms: number, utc: boolean): string {
  const date = new Date(ms);
  const [year, month, day] = utc
    ? [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
    : [date.getFullYear(), date.getMonth(), date.getDate()];
  return `${year}-${two(month + 1)}-${two(day)}`;
}

export function formatClock(ms: number, utc: boolean, millis = false): string {
  const date = new Date(ms);
  const [hour, minute, second] = utc
    ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getHours(), date.getMinutes(), date.getSeconds()];
  const clock = `${two(hour)}:${two(minute)}:${two(second)}`;
  return millis ? `${clock}.${String(date.getUTCMilliseconds()).padStart(3, '0')}` : clock;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** "4 s ago", "3 h ago". */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds / 3600) % 24} h`;
}
