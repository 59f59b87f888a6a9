import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import type { Host } from '../../../broker/host/host.ts';
import { REQUEST_HEADERS } from '../../../broker/records/headers.ts';
import { OtlpError } from '../../../broker/records/otlp/error.ts';
import { requestFromJson } from '../../../broker/records/otlp/json.ts';
import {
  CONTENT_TYPES,
  type Encoding,
  exportResponse,
  statusResponse,
} from '../../../broker/records/otlp/responses.ts';
import type { Signal } from '../../../broker/records/topics.ts';
import type { Sender } from '../../gateway/batch.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { Refusal } from '../../gateway/refusal.ts';
import { Decompression } from './body.ts';
import { drain } from './drain.ts';
import { HttpError, reasonOf, rpcCode } from './http-error.ts';

export interface OtlpHttpOptions {
  readonly host: string;
  readonly port: number;
  /** Bound on a body, compressed and not. */
  readonly bodyBytesMax: number;
  /** Bound on bodies being received; above it requests are told to come again before their body is read. */
  readonly receivingBytesMax: number;
}

const PATHS: Readonly<Record<string, Signal>> = {
  '/v1/logs': 'logs',
  '/v1/metrics': 'metrics',
  '/v1/traces': 'spans',
};

/** Senders that open more are a fault or an attack; each costs a few kB and a descriptor. */
const CONNECTIONS_MAX = 4_096;
/** A request that takes longer to arrive holds its memory for nothing. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Of a body that is too large, this many times the bound is read and thrown away, so that its sender gets the answer. */
const DRAINED_BODIES_MAX = 4;
const DURATION_BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * OTLP over HTTP: protobuf and JSON on `/v1/logs`, `/v1/metrics`, `/v1/traces`, with `/health` and `/ready`.
 *
 * 200 means durable. 429 and 503, with Retry-After, are for everything that time may cure, also for faults of our
 * own: any other code makes a sender throw its data away. Not listening yet: call `listen`.
 */
export function otlpHttpServer(gateway: Gateway, host: Host, options: OtlpHttpOptions): FastifyInstance {
  const server = fastify({
    bodyLimit: options.bodyBytesMax,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
  });
  server.server.maxConnections = CONNECTIONS_MAX;
  const decompression = new Decompression(options.bodyBytesMax);
  const refused = host.metrics.counter(
    'millrace_collector_refused_requests_total',
    'Requests that were not accepted, by reason.',
  );
  const duration = host.metrics.histogram(
    'millrace_collector_request_duration_seconds',
    'From the arrival of an export request to its answer.',
    DURATION_BOUNDS_S,
  );

  server.removeAllContentTypeParsers();
  const types = Object.values(CONTENT_TYPES);
  server.addContentTypeParser(types, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  let receivingBytes = 0;
  server.addHook('onRequest', (request, reply, done) => {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (receivingBytes + announced > options.receivingBytesMax && announced <= options.bodyBytesMax) {
      // The body is not read, so the connection cannot be used again.
      void reply.header('connection', 'close');
      done(new HttpError(429, 'too many bytes are being received', 1));
      return;
    }
    receivingBytes += announced;
    reply.raw.once('close', () => (receivingBytes -= announced));
    done();
  });

  for (const [path, signal] of Object.entries(PATHS)) {
    server.post(path, async (request, reply) => {
      const started = host.clock.monotonicMs();
      const encoding = encodingOf(request) ?? 'protobuf';
      const body = request.body instanceof Buffer ? request.body : Buffer.alloc(0);
      const plain = await decompression.decode(body, contentEncoding(request));
      const bytes = encoding === 'json' ? requestFromJson(signal, plain) : plain;
      const { rejected, reason } = await gateway.submit(signal, bytes, senderOf(request));
      duration.observe((host.clock.monotonicMs() - started) / 1_000, { signal });
      const partial = rejected > 0 ? { rejected, message: reason } : undefined;
      return reply.type(CONTENT_TYPES[encoding]).send(exportResponse(signal, encoding, partial));
    });
  }

  server.get('/health', (_request, reply) => reply.send({ status: 'ok' }));
  server.get('/ready', (_request, reply) =>
    reply
      .code(gateway.ready ? 200 : 503)
      .send({ status: gateway.ready ? 'ready' : 'waiting for the broker' }),
  );

  const answer = (request: FastifyRequest, reply: FastifyReply, error: HttpError): FastifyReply => {
    refused.add(1, { reason: reasonOf(error.status) });
    if (error.retryAfterS !== undefined) void reply.header('retry-after', String(error.retryAfterS));
    const encoding = encodingOf(request) ?? 'json';
    const body = statusResponse(encoding, rpcCode(error.status), error.message);
    return reply.code(error.status).type(CONTENT_TYPES[encoding]).send(body);
  };
  server.setNotFoundHandler((request, reply) => {
    const want = Object.keys(PATHS).join(', ');
    return answer(
      request,
      reply,
      new HttpError(404, `cannot find ${request.method} ${request.url.slice(0, 100)}, want POST ${want}`),
    );
  });
  server.setErrorHandler(async (error, request, reply) => {
    await drain(request.raw, DRAINED_BODIES_MAX * options.bodyBytesMax, host);
    return answer(request, reply, httpErrorOf(error, host, options.bodyBytesMax));
  });
  return server;
}

function httpErrorOf(error: unknown, host: Host, bodyBytesMax: number): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof OtlpError) return new HttpError(400, error.message);
  if (error instanceof Refusal) {
    return new HttpError(error.reason === 'overload' ? 429 : 503, error.message, error.retryAfterS);
  }
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode === 413) {
    return new HttpError(413, `cannot take the body: got more than ${bodyBytesMax} bytes`);
  }
  if (statusCode === 415) {
    const want = Object.values(CONTENT_TYPES).join(' or ');
    return new HttpError(415, `cannot take this content-type, want ${want}`);
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new HttpError(400, message ?? 'bad request');
  }
  host.log.error({ error: message }, 'cannot handle a request; the sender is told to come again');
  return new HttpError(503, 'internal fault', 5);
}

/** By the content type of the request; undefined for one that is neither. */
function encodingOf(request: FastifyRequest): Encoding | undefined {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (type === CONTENT_TYPES.json) return 'json';
  return type === CONTENT_TYPES.protobuf ? 'protobuf' : undefined;
}

function contentEncoding(request: FastifyRequest): string {
  return (request.headers['content-encoding'] ?? '').trim().toLowerCase();
}

/** Longest id of a source that is taken as one. */
const SOURCE_LENGTH_MAX = 256;

/** @throws HttpError 400: only our own agents set these, and a wrong one would break the dropping of repeats */
function senderOf(request: FastifyRequest): Sender | undefined {
  const source = request.headers[REQUEST_HEADERS.source];
  const sequence = request.headers[REQUEST_HEADERS.sequence];
  if (source === undefined && sequence === undefined) return undefined;
  if (typeof source !== 'string' || source === '' || source.length > SOURCE_LENGTH_MAX) {
    throw new HttpError(
      400,
      `cannot take header ${REQUEST_HEADERS.source}: want 1 to ${SOURCE_LENGTH_MAX} characters`,
    );
  }
  if (typeof sequence !== 'string' || !/^\d{1,19}$/.test(sequence)) {
    throw new HttpError(400, `cannot take header ${REQUEST_HEADERS.sequence}: want a decimal number`);
  }
  return { source, sequence };
}
