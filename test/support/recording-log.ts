import type { Log } from '../../broker/host/log.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly message: string;
}

/** Keeps what a part says. */
export function recordingLog(lines: LogLine[]): Log {
  const record =
    (level: LogLine['level']) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields, message });
    };
  return { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') };
}
