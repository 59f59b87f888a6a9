/** Grafana's unit ids to text: `formatUnit('bytes', 1536000)` → `{text: '1.46', suffix: ' MiB'}`. */

export interface FormattedValue {
  prefix?: string;
  text: string;
  suffix?: string;
}

type Formatter = (value: number, decimals: number | undefined) => FormattedValue;

/**
 * @param unit a unit id, or one of the forms `suffix:x`, `prefix:x`, `count:x`, `si:x`, `currency:x`;
 *   an unknown id becomes a suffix, as in Grafana.
 * @param decimals fixed digits; without it, about three significant digits
 */
export function formatUnit(
  unit: string | undefined,
  value: number | null | undefined,
  decimals?: number | null,
): FormattedValue {
  if (value === null || value === undefined || Number.isNaN(value)) return { text: '' };
  if (!Number.isFinite(value)) return { text: value > 0 ? '∞' : '-∞' };
  return formatterOf(unit ?? '')(value, decimals ?? undefined);
}

export function unitText(
  unit: string | undefined,
  value: number | null | undefined,
  decimals?: number | null,
): string {
  const { prefix = '', text, suffix = '' } = formatUnit(unit, value, decimals);
  return prefix + text + suffix;
}

/** True for units that scale by 1024, so that axis ticks fall on round numbers of them. */
export function isBinaryUnit(unit: string | undefined): boolean {
  return ['bytes', 'kbytes', 'mbytes', 'gbytes', 'bits', 'binBps', 'binbps'].includes(unit ?? '');
}

/** Digits after the point that leave about three significant ones; whole numbers get none. */
export function significantDecimals(value: number): number {
  if (value === 0 || Number.isInteger(value)) return 0;
  return Math.min(20, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
}

export function fixed(value: number, decimals: number | undefined): string {
  const text = value.toFixed(decimals ?? significantDecimals(value));
  return /^-0(\.0+)?$/.test(text) ? text.slice(1) : text;
}

const SHORT = ['', ' K', ' Mil', ' Bil', ' Tri', ' Quadr', ' Quint', ' Sext', ' Sept'];
const COUNT = ['', 'K', 'M', 'B', 'T'];
const SI = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
const SI_SMALL = ['', 'm', 'µ', 'n', 'p'];

function formatterOf(unit: string): Formatter {
  const known = FORMATTERS.get(unit);
  if (known) return known;
  const colon = unit.indexOf(':');
  const argument = unit.slice(colon + 1);
  if (colon > 0) {
    switch (unit.slice(0, colon)) {
      case 'suffix':
        return (value, decimals) => ({ text: fixed(value, decimals), suffix: ` ${argument}` });
      case 'prefix':
        return (value, decimals) => ({ prefix: argument, text: fixed(value, decimals) });
      case 'count':
        return counted(argument);
      case 'si':
        return metric(argument);
      case 'currency':
        return currency(argument);
      case 'time':
        return (value) => ({ text: isoTime(value) });
    }
  }
  return (value, decimals) => ({ text: fixed(value, decimals), suffix: unit === '' ? '' : ` ${unit}` });
}

/** Divides by `factor` until the value is below it and appends the step's suffix. */
function scaled(factor: number, suffixes: readonly string[], firstStep = 0): Formatter {
  return (value, decimals) => {
    let rest = value;
    let step = firstStep;
    while (Math.abs(rest) >= factor && step < suffixes.length - 1) {
      rest /= factor;
      step += 1;
    }
    const suffix = suffixes[step] ?? '';
    return suffix === '' ? { text: fixed(rest, decimals) } : { text: fixed(rest, decimals), suffix };
  };
}

function binary(unit: string, firstStep = 0): Formatter {
  const prefixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'];
  return scaled(
    1024,
    prefixes.map((prefix) => ` ${prefix}${unit}`),
    firstStep,
  );
}

function decimal(unit: string, firstStep = 0): Formatter {
  return scaled(
    1000,
    SI.map((prefix) => ` ${prefix}${unit}`),
    firstStep,
  );
}

function counted(unit: string): Formatter {
  return scaled(
    1000,
    COUNT.map((prefix) => `${prefix} ${unit}`),
  );
}

/** SI prefixes on both sides of one. */
function metric(unit: string): Formatter {
  const large = decimal(unit);
  return (value, decimals) => {
    if (value === 0 || Math.abs(value) >= 1) return large(value, decimals);
    let rest = value;
    let step = 0;
    while (Math.abs(rest) < 1 && step < SI_SMALL.length - 1) {
      rest *= 1000;
      step += 1;
    }
    // 0.00012 × 1000 × 1000 is 119.99999999999999: such dust would show as decimals.
    return { text: fixed(Number(rest.toPrecision(12)), decimals), suffix: ` ${SI_SMALL[step] ?? ''}${unit}` };
  };
}

function currency(symbol: string): Formatter {
  const scale = scaled(1000, COUNT);
  return (value, decimals) => ({ prefix: symbol, ...scale(value, decimals) });
}

function plain(suffix: string, factor = 1): Formatter {
  return (value, decimals) => ({
    text: fixed(Number((value * factor).toPrecision(15)), decimals),
    suffix,
  });
}

// Seconds in a unit, the suffix of small inputs (ns, µs) and the plural that the others use.
const TIME_STEPS: readonly { seconds: number; short: string; long: string }[] = [
  { seconds: 1e-9, short: ' ns', long: ' ns' },
  { seconds: 1e-6, short: ' µs', long: ' µs' },
  { seconds: 1e-3, short: ' ms', long: ' ms' },
  { seconds: 1, short: ' s', long: ' s' },
  { seconds: 60, short: ' min', long: ' mins' },
  { seconds: 3600, short: ' hour', long: ' hours' },
  { seconds: 86400, short: ' day', long: ' days' },
  { seconds: 604800, short: ' week', long: ' weeks' },
  { seconds: 31536000, short: ' year', long: ' years' },
];

/** @param downTo smallest step shown; @param skipWeeks milliseconds and below go from days to years */
function duration(unitSeconds: number, downTo: number, skipWeeks: boolean, short = false): Formatter {
  return (value, decimals) => {
    const seconds = Math.abs(value) * unitSeconds;
    const own = TIME_STEPS.findIndex((step) => step.seconds === unitSeconds);
    if (value === 0 && unitSeconds === 1) return { text: '0', suffix: ' s' };
    let chosen = Math.max(downTo, value === 0 ? own : 0);
    for (const [index, step] of TIME_STEPS.entries()) {
      if (skipWeeks && step.seconds === 604800) continue;
      // 0.99999…s × 1000 must still count as a full step.
      if (index > chosen && seconds * (1 + 1e-12) >= step.seconds) chosen = index;
    }
    const step = TIME_STEPS[chosen];
    if (!step) return { text: String(value) };
    const rest = Number(((value * unitSeconds) / step.seconds).toPrecision(12));
    return { text: fixed(rest, decimals), suffix: short ? step.short : step.long };
  };
}

const SPOKEN: readonly [string, number][] = [
  ['year', 31536000000],
  ['month', 2628000000],
  ['week', 604800000],
  ['day', 86400000],
  ['hour', 3600000],
  ['minute', 60000],
  ['second', 1000],
  ['millisecond', 1],
];

/** "1 hour, 1 minute": the largest unit and, with decimals, as many smaller ones. */
function spokenDuration(unitMs: number): Formatter {
  return (value, decimals) => {
    let rest = Math.abs(value) * unitMs;
    if (rest === 0) return { text: unitMs === 1 ? '0 milliseconds' : '0 seconds' };
    const words: string[] = [];
    let left = decimals ?? 0;
    for (const [name, sizeMs] of SPOKEN) {
      const count = Math.floor(rest / sizeMs);
      if (count > 0 || words.length > 0) {
        words.push(`${count} ${name}${count === 1 ? '' : 's'}`);
        rest -= count * sizeMs;
        if (left === 0) break;
        left -= 1;
      }
    }
    return value < 0 ? { text: words.join(', '), suffix: ' ago' } : { text: words.join(', ') };
  };
}

/** 01:01:01 */
function clock(unitMs: number): Formatter {
  return (value) => {
    const seconds = Math.floor((Math.abs(value) * unitMs) / 1000);
    const two = (part: number): string => String(part).padStart(2, '0');
    const text = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    return { text: value < 0 ? `-${text}` : text };
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}

const fixedOnly: Formatter = (value, decimals) => ({ text: fixed(value, decimals) });

const FORMATTERS: ReadonlyMap<string, Formatter> = new Map<string, Formatter>([
  ['', fixedOnly],
  ['none', fixedOnly],
  ['string', (value) => ({ text: String(value) })],
  ['short', scaled(1000, SHORT)],
  ['sishort', metric('')],
  ['percent', plain('%')],
  ['percentunit', plain('%', 100)],
  ['locale', (value, decimals) => ({ text: value.toLocaleString('en-US', digits(decimals)) })],
  ['sci', (value, decimals) => ({ text: value.toExponential(decimals) })],
  ['hex', (value) => ({ text: Math.trunc(value).toString(16).toUpperCase() })],
  ['bool', (value) => ({ text: value === 0 ? 'False' : 'True' })],
  ['bool_yes_no', (value) => ({ text: value === 0 ? 'No' : 'Yes' })],
  ['bool_on_off', (value) => ({ text: value === 0 ? 'Off' : 'On' })],
  ['celsius', plain(' °C')],
  ['hertz', decimal('Hz')],
  ['bytes', binary('B')],
  ['kbytes', binary('B', 1)],
  ['mbytes', binary('B', 2)],
  ['gbytes', binary('B', 3)],
  ['bits', binary('b')],
  ['decbytes', decimal('B')],
  ['deckbytes', decimal('B', 1)],
  ['decmbytes', decimal('B', 2)],
  ['decgbytes', decimal('B', 3)],
  ['decbits', decimal('b')],
  ['Bps', decimal('B/s')],
  ['bps', decimal('b/s')],
  ['binBps', binary('B/s')],
  ['binbps', binary('b/s')],
  ['KBs', decimal('B/s', 1)],
  ['MBs', decimal('B/s', 2)],
  ['pps', decimal('p/s')],
  ['ops', counted('ops/s')],
  ['reqps', counted('req/s')],
  ['rps', counted('rd/s')],
  ['wps', counted('wr/s')],
  ['iops', counted('io/s')],
  ['eps', counted('evt/s')],
  ['cps', counted('c/s')],
  ['mps', counted('msg/s')],
  ['recps', counted('rec/s')],
  ['rowsps', counted('rows/s')],
  ['opm', counted('ops/m')],
  ['rpm', counted('rd/m')],
  ['ns', duration(1e-9, 0, true, true)],
  ['µs', duration(1e-6, 1, true, true)],
  ['ms', duration(1e-3, 2, true)],
  ['s', duration(1, 0, false)],
  ['m', duration(60, 4, false)],
  ['h', duration(3600, 4, false)],
  ['d', duration(86400, 4, false)],
  ['dtdurations', spokenDuration(1000)],
  ['dtdurationms', spokenDuration(1)],
  ['dthms', clock(1000)],
  ['dthmsms', clock(1)],
  ['dateTimeAsIso', (value) => ({ text: isoTime(value) })],
  ['currencyUSD', currency('$')],
  ['currencyEUR', currency('€')],
  ['currencyGBP', currency('£')],
]);

function digits(decimals: number | undefined): Intl.NumberFormatOptions {
  return decimals === undefined
    ? { maximumFractionDigits: 20 }
    : { minimumFractionDigits: 0, maximumFractionDigits: decimals };
}
