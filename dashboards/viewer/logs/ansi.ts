/** Terminal colours in log lines as spans of text; every other escape sequence is dropped. */

export interface Span {
  text: string;
  /** CSS classes: `ansi-red`, `ansi-bold`… */
  class: string;
}

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
const ESCAPES = new RegExp(
  String.raw`\u001b(?:\[([0-9;?]*)([A-Za-z])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|.)`,
  'g',
);

export function hasAnsi(text: string): boolean {
  return text.includes('\u001b');
}

export function ansiSpans(text: string): Span[] {
  const spans: Span[] = [];
  let color = '';
  let bold = false;
  let from = 0;
  const push = (to: number): void => {
    if (to <= from) return;
    spans.push({
      text: text.slice(from, to),
      class: [color && `ansi-${color}`, bold && 'ansi-bold'].filter(Boolean).join(' '),
    });
  };
  for (const match of text.matchAll(ESCAPES)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[2] !== 'm') continue;
    for (const code of (match[1] || '0').split(';').map(Number)) {
      if (code === 0) [color, bold] = ['', false];
      else if (code === 1) bold = true;
      else if (code === 22) bold = false;
      else if (code === 39) color = '';
      else if (code >= 30 && code <= 37) color = NAMES[code - 30] ?? '';
      else if (code >= 90 && code <= 97) color = NAMES[code - 90] ?? '';
    }
  }
  push(text.length);
  return spans;
}
