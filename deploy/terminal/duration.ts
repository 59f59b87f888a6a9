import { ExpectedError } from '../expected-error.ts';

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `90s`, `1h30m`, `7d` in ms, as Prometheus writes durations. @throws ExpectedError that names the option */
export function parseDurationMs(text: string, option: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)];
  const durationMs = parts.reduce((sum, [, value, unit]) => sum + Number(value) * UNITS_MS[unit!]!, 0);
  if (parts.length === 0 || parts.map(([all]) => all).join('') !== text) {
    throw new ExpectedError(
      `cannot use --${option}: got ${JSON.stringify(text)}, want a duration such as 30s, 15m or 1h30m`,
    );
  }
  return durationMs;
}
