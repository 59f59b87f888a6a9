import type { Signal } from '../topics.ts';
import { Writer } from './writer.ts';

/** The two encodings of OTLP over HTTP; an answer has that of its request. */
export type Encoding = 'protobuf' | 'json';

export const CONTENT_TYPES: Readonly<Record<Encoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

const REJECTED_NAMES: Readonly<Record<Signal, string>> = {
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
  spans: 'rejectedSpans',
};

/**
 * Export*ServiceResponse: empty when everything was accepted, else with `partial_success`. Senders do not send
 * rejected records again.
 */
export function exportResponse(
  signal: Signal,
  encoding: Encoding,
  partial?: { rejected: number; message: string },
): Buffer {
  if (encoding === 'json') {
    if (!partial) return Buffer.from('{}');
    const { rejected, message } = partial;
    const partialSuccess = { [REJECTED_NAMES[signal]]: String(rejected), errorMessage: message };
    return Buffer.from(JSON.stringify({ partialSuccess }));
  }
  const writer = new Writer();
  if (partial) {
    const start = writer.begin(1);
    if (partial.rejected > 0) writer.int64(1, partial.rejected);
    if (partial.message) writer.text(2, partial.message);
    writer.end(start);
  }
  return writer.finish();
}

/** google.rpc.Status, the body of every error answer. `code` is a gRPC status number. */
export function statusResponse(encoding: Encoding, code: number, message: string): Buffer {
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message }));
  const writer = new Writer();
  writer.int64(1, code);
  writer.text(2, message);
  return writer.finish();
}
