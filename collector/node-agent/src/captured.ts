/** What the log call leaves behind: as little as possible, turned into an OTLP record later in the worker. */
export interface Captured {
  /** `pino`: `text` is pino's JSON line. `console` and `process`: `text` is the message. */
  readonly kind: 'pino' | 'console' | 'process';
  readonly text: string;
  /** When it was logged, ms since 1970. */
  readonly timeMs: number;
  /** `console` and `process` only; pino's line carries its own. */
  readonly level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | undefined;
  readonly error?: CapturedError | undefined;
  readonly trace?: TraceContext | undefined;
}

export interface CapturedError {
  readonly type: string;
  readonly message: string;
  readonly stack: string;
}

export interface TraceContext {
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

/** From the application's thread to the worker. */
export type ToWorker =
  | { readonly type: 'records'; readonly records: readonly Captured[]; readonly bytes: number }
  /** Send what is left within the time, then say so in `SHARED.drained`. */
  | { readonly type: 'drain'; readonly turn: number; readonly budgetMs: number };

/** Slots of the shared Int32Array through which the worker answers, also while the application is blocked. */
export const SHARED = {
  /** Bytes of records that left the worker, sent or given up; wraps. */
  doneBytes: 0,
  /** Number of the last drain that is finished. */
  drained: 1,
  slots: 2,
} as const;

/** What a record counts for in every bound, bytes: its text and a share for times, ids and the object itself. */
export function sizeOf(record: Captured): number {
  return record.text.length + 100;
}
