/** 1234567 as `1,234,567`. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 1536 as `1.5 KiB`. */
export function formatBytes(value: number): string {
  let rest = value;
  let unit = 0;
  while (rest >= 1_023.95 && unit < BYTE_UNITS.length - 1) {
    rest /= 1_024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(rest) : rest.toFixed(1)} ${BYTE_UNITS[unit]!}`;
}

const TIME_UNITS: ReadonlyArray<readonly [letter: string, seconds: number]> = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

/** The two largest units: 93784 s as `1d 2h`, 4.2 s as `4.2s`, 30 ms as `0.03s`. */
export function formatSeconds(value: number): string {
  if (value < 10) return `${Number(value.toFixed(value < 1 ? 2 : 1))}s`;
  let rest = Math.round(value);
  const parts: string[] = [];
  for (const [letter, seconds] of TIME_UNITS) {
    const count = Math.floor(rest / seconds);
    if (count === 0 && parts.length === 0) continue;
    rest -= count * seconds;
    if (count > 0) parts.push(`${count}${letter}`);
    if (parts.length === 2 || count === 0) break;
  }
  return parts.join(' ');
}
