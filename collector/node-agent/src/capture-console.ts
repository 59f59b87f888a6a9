import { format, inspect } from 'node:util';

import type { Captured, CapturedError } from './captured.ts';
import { activeTrace } from './trace-context.ts';

const LEVELS = {
  log: 'info',
  info: 'info',
  debug: 'debug',
  warn: 'warn',
  error: 'error',
  dir: 'info',
} as const;

/**
 * Wraps the global console's writing methods; the rest (`table`, `trace`, `assert`, `count`, `group`) call
 * these. Arguments are formatted at once, since the application may change them afterwards.
 */
export function captureConsole(push: (record: Captured) => void): void {
  let inside = false;
  for (const name of Object.keys(LEVELS) as Array<keyof typeof LEVELS>) {
    const original = console[name];
    if (typeof original !== 'function') continue;
    const level = LEVELS[name];
    const wrapped = function (this: unknown, ...args: unknown[]): void {
      // A value's own inspect method may log in turn: that line is part of this call's work, once is enough.
      if (!inside) {
        inside = true;
        try {
          const [first] = args;
          const text =
            name === 'dir'
              ? inspect(first, { customInspect: false, ...(args[1] as object) })
              : args.length === 1 && typeof first === 'string'
                ? first
                : format(...args);
          push({
            kind: 'console',
            text,
            timeMs: Date.now(),
            level,
            error: errorIn(args),
            trace: activeTrace(),
          });
        } catch {
          // The application's own call below meets the same argument and reacts as it always did.
        } finally {
          inside = false;
        }
      }
      return Reflect.apply(original, this, args) as void;
    };
    Object.defineProperty(wrapped, 'name', { value: name, configurable: true });
    console[name] = wrapped;
  }
}

function errorIn(args: readonly unknown[]): CapturedError | undefined {
  for (const arg of args) if (arg instanceof Error) return capturedError(arg);
  return undefined;
}

/** The parts of an error that OTLP has names for. */
export function capturedError(error: Error): CapturedError {
  const { name, message, stack } = error;
  return { type: String(name), message: String(message), stack: typeof stack === 'string' ? stack : '' };
}
