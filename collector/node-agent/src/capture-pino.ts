import { subscribe } from 'node:diagnostics_channel';

import type { Captured } from './captured.ts';
import { activeTrace } from './trace-context.ts';

/**
 * pino (9.10 and later) publishes every finished line on a diagnostics channel: the same in ES modules and
 * CommonJS, without a loader hook. Only the line is kept here; parsing waits for the worker.
 */
export function capturePino(push: (record: Captured) => void): void {
  subscribe('tracing:pino_asJson:end', (message) => {
    const line = (message as { result?: unknown }).result;
    if (typeof line !== 'string') return;
    push({ kind: 'pino', text: line, timeMs: Date.now(), trace: activeTrace() });
  });
}
