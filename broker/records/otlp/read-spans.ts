import type { Cursor } from './cursor.ts';
import type { Resource, Scope, Span, SpanEvent, SpanLink } from './model.ts';
import { readEnvelope } from './read-envelope.ts';
import { internedText, newAttributes, readKeyValue } from './values.ts';

/**
 * The spans of an ExportTraceServiceRequest (or TracesData), in the order of the wire.
 * @throws OtlpError when the bytes are not one; what the gateway accepted always is
 */
export function readSpans(value: Buffer): Span[] {
  const spans: Span[] = [];
  readEnvelope(value, (cursor, resource, scope) => spans.push(readSpan(cursor, resource, scope)));
  return spans;
}

function readSpan(cursor: Cursor, resource: Resource, scope: Scope): Span {
  const outer = cursor.enter();
  const attributes = newAttributes();
  const events: SpanEvent[] = [];
  const links: SpanLink[] = [];
  let traceId = '';
  let spanId = '';
  let parentSpanId = '';
  let traceState = '';
  let flags = 0;
  let name = '';
  let kind = 0;
  let startTimeUnixNano = 0n;
  let endTimeUnixNano = 0n;
  let status = { code: 0, message: '' };
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    switch (tag) {
      case (1 << 3) | 2:
        traceId = cursor.hex();
        break;
      case (2 << 3) | 2:
        spanId = cursor.hex();
        break;
      case (3 << 3) | 2:
        traceState = cursor.text();
        break;
      case (4 << 3) | 2:
        parentSpanId = cursor.hex();
        break;
      case (5 << 3) | 2:
        name = internedText(cursor);
        break;
      case 6 << 3:
        kind = cursor.int32();
        break;
      case (7 << 3) | 1:
        startTimeUnixNano = cursor.fixed64();
        break;
      case (8 << 3) | 1:
        endTimeUnixNano = cursor.fixed64();
        break;
      case (9 << 3) | 2:
        readKeyValue(cursor, attributes);
        break;
      case (11 << 3) | 2:
        events.push(readEvent(cursor));
        break;
      case (13 << 3) | 2:
        links.push(readLink(cursor));
        break;
      case (15 << 3) | 2:
        status = readStatus(cursor);
        break;
      case (16 << 3) | 5:
        flags = cursor.fixed32();
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
  return {
    traceId,
    spanId,
    parentSpanId,
    traceState,
    flags,
    name,
    kind,
    startTimeUnixNano,
    endTimeUnixNano,
    attributes,
    events,
    links,
    statusCode: status.code,
    statusMessage: status.message,
    resource,
    scope,
  };
}

function readEvent(cursor: Cursor): SpanEvent {
  const outer = cursor.enter();
  const attributes = newAttributes();
  let timeUnixNano = 0n;
  let name = '';
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === ((1 << 3) | 1)) timeUnixNano = cursor.fixed64();
    else if (tag === ((2 << 3) | 2)) name = internedText(cursor);
    else if (tag === ((3 << 3) | 2)) readKeyValue(cursor, attributes);
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  return { timeUnixNano, name, attributes };
}

function readLink(cursor: Cursor): SpanLink {
  const outer = cursor.enter();
  const attributes = newAttributes();
  let traceId = '';
  let spanId = '';
  let traceState = '';
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === ((1 << 3) | 2)) traceId = cursor.hex();
    else if (tag === ((2 << 3) | 2)) spanId = cursor.hex();
    else if (tag === ((3 << 3) | 2)) traceState = cursor.text();
    else if (tag === ((4 << 3) | 2)) readKeyValue(cursor, attributes);
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  return { traceId, spanId, traceState, attributes };
}

function readStatus(cursor: Cursor): { code: number; message: string } {
  const outer = cursor.enter();
  let code = 0;
  let message = '';
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === ((2 << 3) | 2)) message = cursor.text();
    else if (tag === 3 << 3) code = cursor.int32();
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  return { code, message };
}
