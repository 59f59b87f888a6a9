import type { TraceContext } from './captured.ts';

const SPAN = Symbol.for('OpenTelemetry Context Key SPAN');
const API = Symbol.for('opentelemetry.js.api.1');

interface SpanContext {
  traceId?: unknown;
  spanId?: unknown;
  traceFlags?: unknown;
}

interface Api {
  context?: {
    active?():
      | { getValue?(key: symbol): { spanContext?(): SpanContext | undefined } | undefined }
      | undefined;
  };
}

/**
 * The active span of @opentelemetry/api, read from the global that every copy of that package registers
 * itself in: no dependency, and nothing to pay where it is absent.
 */
export function activeTrace(): TraceContext | undefined {
  const api = (globalThis as { [API]?: Api })[API];
  if (api?.context === undefined) return undefined;
  const span = api.context.active?.()?.getValue?.(SPAN)?.spanContext?.();
  if (typeof span?.traceId !== 'string' || typeof span.spanId !== 'string') return undefined;
  if (/^0*$/.test(span.traceId)) return undefined;
  return { traceId: span.traceId, spanId: span.spanId, flags: Number(span.traceFlags ?? 0) };
}
