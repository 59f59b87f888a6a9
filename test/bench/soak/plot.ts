/** Curves over time as one SVG with a panel for each quantity, for a page or a converter: pure, no script, no font of its own. */

export interface Curve {
  readonly name: string;
  readonly values: readonly number[];
}

export interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
}

const WIDTH = 1_000;
const PANEL_HEIGHT = 170;
const LEFT = 80;
const RIGHT = 150;
const TOP = 60;
/** Between a panel's top and its curves: its title. */
const HEAD = 30;
const COLOURS = ['#2563eb', '#dc2626', '#16a34a', '#9333ea', '#ea580c'];
const TICKS = 4;

/** `seconds`: when each value was taken; all curves have as many. */
export function plotSvg(title: string, seconds: readonly number[], panels: readonly Panel[]): string {
  const height = TOP + panels.length * PANEL_HEIGHT + 30;
  const end = seconds.at(-1) ?? 1;
  const body = panels.map((panel, index) => panelSvg(panel, seconds, end, TOP + index * PANEL_HEIGHT));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    text(LEFT, 28, title, 'font-size="16"'),
    ...body,
    ...timeAxis(end, height - 12),
    '</svg>\n',
  ].join('\n');
}

function panelSvg(
  { title, unit, curves }: Panel,
  seconds: readonly number[],
  end: number,
  top: number,
): string {
  const bottom = top + PANEL_HEIGHT - 20;
  const highest = Math.max(0, ...curves.flatMap(({ values }) => values.filter(Number.isFinite)));
  const max = roundUp(highest);
  const y = (value: number): number => bottom - (value / max) * (bottom - top - HEAD);
  const x = (second: number): number => LEFT + (second / end) * (WIDTH - LEFT - RIGHT);
  const lines = Array.from({ length: TICKS + 1 }, (_, tick) => {
    const value = (max / TICKS) * tick;
    const at = y(value).toFixed(1);
    return [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" stroke="#e5e7eb"/>`,
      text(
        LEFT - 8,
        Number(at) + 4,
        String(Number(value.toPrecision(3))),
        'text-anchor="end" fill="#6b7280"',
      ),
    ].join('');
  });
  const drawn = curves.map(({ name, values }, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const points = values.flatMap((value, n) =>
      Number.isFinite(value) ? [`${x(seconds[n]!).toFixed(1)},${y(value).toFixed(1)}`] : [],
    );
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="1" points="${points.join(' ')}"/>`,
      text(WIDTH - RIGHT + 10, top + HEAD + 14 * (index + 1), name, `fill="${colour}"`),
    ].join('');
  });
  return [text(LEFT, top + 18, `${title}, ${unit}`, 'font-weight="bold"'), ...lines, ...drawn].join('\n');
}

function timeAxis(end: number, at: number): string[] {
  return Array.from({ length: 6 }, (_, tick) => {
    const share = tick / 5;
    const minutes = ((end * share) / 60).toFixed(1);
    return text(
      LEFT + share * (WIDTH - LEFT - RIGHT),
      at,
      `${minutes} min`,
      'text-anchor="middle" fill="#6b7280"',
    );
  });
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}

/** The next of 1, 2, 4, 5, 8 and 10 times a power of ten, so that ticks are round. */
function roundUp(value: number): number {
  if (value <= 0) return 1;
  const scale = 10 ** Math.floor(Math.log10(value));
  return scale * [1, 2, 4, 5, 8, 10].find((step) => step * scale >= value)!;
}
