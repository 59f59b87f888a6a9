/** The parts' log lines: read from their output, shown to a person, handed to telemetry. */
import { styleText } from 'node:util';

import type { PartLogLine } from '../process/messages.ts';

const SHOWN_APART = new Set(['level', 'time', 'msg', 'err']);

/** pino writes JSON; anything else (a library, a crash) is a line of its own, an error when it came on stderr. */
export function readLogLine(
  part: string,
  line: string,
  stream: 'stdout' | 'stderr',
  nowMs: number,
): PartLogLine {
  if (line.startsWith('{')) {
    try {
      const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
      if (typeof level === 'number' && typeof msg === 'string') {
        const err = fields['err'] as { message?: string; stack?: string } | undefined;
        return {
          part,
          level,
          timeMs: typeof time === 'number' ? time : nowMs,
          message: msg,
          fields: err ? { ...fields, err: err.stack ?? err.message ?? JSON.stringify(err) } : fields,
        };
      }
    } catch {
      // not JSON after all: shown as it is
    }
  }
  return { part, level: stream === 'stderr' ? 40 : 30, timeMs: nowMs, message: line, fields: {} };
}

export function formatLogLine(
  { part, level, timeMs, message, fields }: PartLogLine,
  colors: boolean,
): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    colors ? styleText(style, text) : text;
  const time = new Date(timeMs).toISOString().slice(11, 23);
  const word =
    level >= 50
      ? paint('red', 'ERROR')
      : level >= 40
        ? paint('yellow', 'WARN ')
        : level >= 30
          ? 'INFO '
          : 'DEBUG';
  const rest = Object.entries(fields)
    .filter(([name]) => !SHOWN_APART.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  const cause = typeof fields['err'] === 'string' ? `\n${paint('gray', fields['err'])}` : '';
  return `${paint('gray', time)} ${word} ${paint('cyan', part.padEnd(9))} ${message}${rest ? ` ${paint('gray', rest)}` : ''}${cause}`;
}
