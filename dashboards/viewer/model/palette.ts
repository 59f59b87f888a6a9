/** Grafana's colour names and series palette, for dark and light. */

export type Theme = 'dark' | 'light';

// [name, dark, light]; the shades of a hue share values between themes, shifted by one.
const NAMED: readonly [string, string, string][] = [
  ['green', '#73BF69', '#56A64B'],
  ['super-light-green', '#C8F2C2', '#96D98D'],
  ['light-green', '#96D98D', '#73BF69'],
  ['semi-dark-green', '#56A64B', '#37872D'],
  ['dark-green', '#37872D', '#19730E'],
  ['red', '#F2495C', '#E02F44'],
  ['super-light-red', '#FFA6B0', '#FF7383'],
  ['light-red', '#FF7383', '#F2495C'],
  ['semi-dark-red', '#E02F44', '#C4162A'],
  ['dark-red', '#C4162A', '#AD0317'],
  ['orange', '#FF9830', '#FF780A'],
  ['super-light-orange', '#FFCB7D', '#FFB357'],
  ['light-orange', '#FFB357', '#FF9830'],
  ['semi-dark-orange', '#FF780A', '#FA6400'],
  ['dark-orange', '#FA6400', '#E55400'],
  ['yellow', '#FADE2A', '#F2CC0C'],
  ['super-light-yellow', '#FFF899', '#FFEE52'],
  ['light-yellow', '#FFEE52', '#FADE2A'],
  ['semi-dark-yellow', '#F2CC0C', '#E0B400'],
  ['dark-yellow', '#E0B400', '#CC9D00'],
  ['blue', '#5794F2', '#3274D9'],
  ['super-light-blue', '#C0D8FF', '#8AB8FF'],
  ['light-blue', '#8AB8FF', '#5794F2'],
  ['semi-dark-blue', '#3274D9', '#1F60C4'],
  ['dark-blue', '#1F60C4', '#1250B0'],
  ['purple', '#B877D9', '#A352CC'],
  ['super-light-purple', '#DEB6F2', '#CA95E5'],
  ['light-purple', '#CA95E5', '#B877D9'],
  ['semi-dark-purple', '#A352CC', '#8F3BB8'],
  ['dark-purple', '#8F3BB8', '#7C2EA3'],
  ['text', '#CCCCDC', '#24292E'],
  ['transparent', '#00000000', '#FFFFFF00'],
];

const DARK: ReadonlyMap<string, string> = new Map(NAMED.map(([name, dark]) => [name, dark]));
const LIGHT: ReadonlyMap<string, string> = new Map(NAMED.map(([name, , light]) => [name, light]));

/** The order in which `palette-classic` hands out colours. */
const CLASSIC: readonly string[] = [
  'green semi-dark-yellow blue orange red purple',
  'dark-green dark-yellow dark-blue dark-orange dark-red dark-purple',
  'super-light-green super-light-yellow super-light-blue super-light-orange super-light-red super-light-purple',
  '#447EBC #C15C17 #890F02 #0A437C #6D1F62 #584477 #B7DBAB #F4D598 #70DBED #F9BA8F #F29191 #82B5D8 #E5A8E2',
  '#AEA2E0 #629E51 #E5AC0E #64B0C8 #E0752D #BF1B00 #0A50A1 #962D82 #614D93 #9AC48A #F2C96D #65C5DB #F9934E',
  '#EA6460 #5195CE #D683CE #806EB7 #3F6833 #967302 #2F575E #99440A #58140C #052B51 #511749 #3F2B5B',
].flatMap((names) => names.split(' '));

/** A colour name, `#hex` or CSS function as a CSS colour; an unknown name is grey. */
export function colorByName(name: string | undefined, theme: Theme): string {
  if (!name) return '#808080';
  const known = (theme === 'dark' ? DARK : LIGHT).get(name);
  if (known) return known;
  if (/^#[0-9a-f]{3,8}$/i.test(name) || /^(rgb|hsl)a?\([\d\s.,%/]+\)$/i.test(name)) return name;
  return '#808080';
}

export function classicColor(index: number, theme: Theme): string {
  return colorByName(CLASSIC[index % CLASSIC.length], theme);
}

/** The same name gets the same colour everywhere (`palette-classic-by-name`). */
export function classicColorByName(name: string, theme: Theme): string {
  let hash = 0;
  for (let index = 0; index < name.length; index++) hash = (hash * 31 + name.charCodeAt(index)) | 0;
  return classicColor(Math.abs(hash), theme);
}

/** `#rrggbb` with an opacity from 0 to 1; other notations come back as they are. */
export function withAlpha(color: string, alpha: number): string {
  const match = /^#([0-9a-f]{6})$/i.exec(color);
  if (!match) return color;
  const byte = Math.round(Math.min(1, Math.max(0, alpha)) * 255);
  return `#${match[1] ?? ''}${byte.toString(16).padStart(2, '0')}`;
}

const CONTINUOUS: Readonly<Record<string, readonly string[]>> = {
  'continuous-GrYlRd': ['green', 'yellow', 'red'],
  'continuous-RdYlGr': ['red', 'yellow', 'green'],
  'continuous-BlYlRd': ['dark-blue', 'super-light-yellow', 'dark-red'],
  'continuous-YlRd': ['super-light-yellow', 'dark-red'],
  'continuous-BlPu': ['blue', 'purple'],
  'continuous-YlBl': ['super-light-yellow', 'dark-blue'],
  'continuous-blues': ['#1c2a4a', 'dark-blue', 'super-light-blue'],
  'continuous-reds': ['#3a1218', 'dark-red', 'super-light-red'],
  'continuous-greens': ['#12301a', 'dark-green', 'super-light-green'],
  'continuous-purples': ['#2a1236', 'dark-purple', 'super-light-purple'],
};

export function isContinuous(mode: string): boolean {
  return Object.hasOwn(CONTINUOUS, mode);
}

/** @param share 0 to 1 along the scheme */
export function continuousColor(mode: string, share: number, theme: Theme): string {
  const stops = (CONTINUOUS[mode] ?? ['green']).map((name) => colorByName(name, theme));
  const position = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const index = Math.min(stops.length - 1, Math.floor(position));
  return mix(stops[index] ?? '#808080', stops[index + 1] ?? stops[index] ?? '#808080', position - index);
}

function mix(from: string, to: string, share: number): string {
  let result = '#';
  for (let at = 1; at < 7; at += 2) {
    const low = Number.parseInt(from.slice(at, at + 2), 16);
    const high = Number.parseInt(to.slice(at, at + 2), 16);
    result += Math.round(low + (high - low) * share)
      .toString(16)
      .padStart(2, '0');
  }
  return result;
}
