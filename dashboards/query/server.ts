/** The web server of port 3100: hooks for all routes, then one file of routes for each API. */
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';

import type { Host } from '../../broker/host/host.ts';
import { LogqlError } from '../../sinks/logql/error.ts';
import { crossOriginRefusal, hostRefusal } from './cross-origin.ts';
import { QueryError } from './query-error.ts';

export interface ServerOptions {
  /** Answers only to names of this machine: for a server on the loopback, which nobody else can reach. */
  readonly localNamesOnly: boolean;
}

export function createServer(host: Host, { localNamesOnly }: ServerOptions): FastifyInstance {
  const app = Fastify({
    logger: false,
    // Longest address that we serve is a LogQL query with many labels; Node itself refuses above 16 KiB.
    routerOptions: { maxParamLength: 1_000 },
    bodyLimit: 1024 * 1024,
    forceCloseConnections: true,
  });
  const requests = host.metrics.counter(
    'millrace_web_requests_total',
    'HTTP requests answered, by route and status class.',
  );
  const durations = host.metrics.histogram(
    'millrace_web_request_duration_seconds',
    'Time from request to the end of the answer.',
    [0.005, 0.025, 0.1, 0.5, 2.5, 10, 30],
  );

  app.addHook('onRequest', async (request) => {
    const refusal =
      crossOriginRefusal(request.method, request.headers) ??
      (localNamesOnly ? hostRefusal(request.headers.host) : undefined);
    if (refusal !== undefined) throw new QueryError(403, refusal);
  });
  app.addHook('onSend', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'no-referrer');
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    requests.add(1, { route, status: `${Math.floor(reply.statusCode / 100)}xx` });
    if (!route.startsWith('/api/tail')) durations.observe(reply.elapsedTime / 1000, { route });
  });

  // Grafana's Loki data source sends forms.
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, formOf(String(body))),
  );
  app.setErrorHandler((error: FastifyError | QueryError | LogqlError, request, reply) => {
    const status = statusOf(error);
    if (status >= 500 && !(error instanceof QueryError)) {
      host.log.error({ url: request.url, error: error.stack }, 'a request failed unexpectedly');
    }
    const message = status === 500 ? 'cannot answer: an unexpected failure, see the log' : error.message;
    void reply.code(status).send({ status: 'error', errorType: errorType(status), error: message, message });
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `cannot find ${request.method} ${request.url.split('?')[0]}`;
    void reply.code(404).send({ status: 'error', errorType: 'not_found', error: message, message });
  });
  return app;
}

function statusOf(error: FastifyError | QueryError | LogqlError): number {
  if (error instanceof QueryError) return error.status;
  return error instanceof LogqlError ? 400 : (error.statusCode ?? 500);
}

/** Prometheus' words for it. */
function errorType(status: number): string {
  if (status === 400) return 'bad_data';
  if (status === 404) return 'not_found';
  if (status === 503) return 'unavailable';
  if (status === 504) return 'timeout';
  return status < 500 ? 'bad_data' : 'internal';
}

/** Repeated names become lists, as in a query string. */
function formOf(body: string): Record<string, string | string[]> {
  const form: Record<string, string | string[]> = {};
  for (const [name, value] of new URLSearchParams(body)) {
    const before = form[name];
    form[name] = before === undefined ? value : [before, value].flat();
  }
  return form;
}
