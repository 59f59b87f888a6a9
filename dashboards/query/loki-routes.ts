/**
 * Loki's HTTP API over `otel_logs`, as Grafana's built-in Loki data source uses it.
 *
 * Absent: /tail over WebSocket (live tail is `/api/tail`), patterns, detected fields. Log queries have no
 * instant form, as in Loki.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import type { Host } from '../../broker/host/host.ts';
import type { LogQuery } from '../../sinks/logql/ast.ts';
import { parseLogs, parseQuery } from '../../sinks/logql/parse.ts';
import type { ClickHouseReader } from './clickhouse-reader.ts';
import { findLogs } from './log-rows.ts';
import type { Series, Steps } from './log-windows.ts';
import { labelNames, labelValues, streamSets, volumes } from './loki-labels.ts';
import { type Parameters, limit, parseStep, parseTime, text, texts, timeRange } from './loki-parameters.ts';
import { lokiStreams } from './loki-streams.ts';
import { type MetricResult, evaluateMetric } from './metric-query.ts';
import { numberText } from './prometheus-text.ts';
import { QueryError } from './query-error.ts';
import { leaving } from './request.ts';

export interface LokiRoutes {
  readonly clickhouse: ClickHouseReader;
  readonly host: Host;
  readonly version: string;
  /** Lines of one answer. */
  readonly linesMax: number;
}

/** As Prometheus and Loki bound it: more points than a screen has. */
const POINTS_MAX = 11_000;

export function lokiRoutes(app: FastifyInstance, routes: LokiRoutes): void {
  const { clickhouse, host, linesMax } = routes;
  const both = (
    url: string,
    answer: (parameters: Parameters, signal: AbortSignal, request: FastifyRequest) => Promise<unknown>,
  ): void => {
    const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      const parameters = { ...(request.query as object), ...(request.body as object | undefined) };
      return answer(parameters, leaving(reply), request);
    };
    app.get(url, handler);
    app.post(url, handler);
  };

  both('/loki/api/v1/query_range', async (parameters, signal, request) => {
    const expr = parseQuery(required(parameters, 'query'));
    const range = timeRange(parameters, host.clock.nowNs());
    if (expr.type !== 'log') {
      const steps = stepsOf(range, text(parameters, 'step'));
      const result = await evaluateMetric(clickhouse, expr, steps, signal);
      return success('matrix', matrix(result, steps));
    }
    const direction = text(parameters, 'direction')?.toLowerCase() === 'forward' ? 'forward' : 'backward';
    const found = await findLogs(clickhouse, {
      query: expr,
      range: { ...range, ends: '[)' },
      direction,
      limit: limit(parameters, linesMax),
      signal,
    });
    const flags = String(request.headers['x-loki-response-encoding-flags'] ?? '');
    const categorize = flags.includes('categorize-labels');
    const streams = lokiStreams(found, categorize);
    return success('streams', streams, categorize ? { encodingFlags: ['categorize-labels'] } : {});
  });

  both('/loki/api/v1/query', async (parameters, signal) => {
    const expr = parseQuery(required(parameters, 'query'));
    if (expr.type === 'log') {
      throw new QueryError(
        400,
        'cannot run a log query at an instant: got {…}, want a metric query, or query_range',
      );
    }
    const time = text(parameters, 'time');
    const startNs = time === undefined ? host.clock.nowNs() : parseTime('time', time);
    const steps = { startNs, stepNs: 1_000_000_000n, count: 1 };
    const result = await evaluateMetric(clickhouse, expr, steps, signal);
    const at = seconds(startNs);
    if (typeof result === 'number') return success('scalar', [at, numberText(result)]);
    const samples = result.filter(({ values }) => !Number.isNaN(values[0]!));
    return success(
      'vector',
      samples.map(({ labels, values }) => ({ metric: labels, value: [at, numberText(values[0]!)] })),
    );
  });

  both('/loki/api/v1/labels', async (parameters, signal) => {
    const range = timeRange(parameters, host.clock.nowNs());
    return { status: 'success', data: await labelNames(clickhouse, selector(parameters), range, signal) };
  });

  both('/loki/api/v1/label/:name/values', async (parameters, signal, request) => {
    const range = timeRange(parameters, host.clock.nowNs());
    const { name } = request.params as { name: string };
    const data = await labelValues(clickhouse, name, selector(parameters), range, signal);
    return { status: 'success', data };
  });

  both('/loki/api/v1/series', async (parameters, signal) => {
    const range = timeRange(parameters, host.clock.nowNs());
    const matches = [...texts(parameters, 'match[]'), ...texts(parameters, 'match')];
    const data = await streamSets(clickhouse, matches.map(parseLogs), range, signal);
    return { status: 'success', data };
  });

  both('/loki/api/v1/index/stats', async (parameters, signal) => {
    const range = timeRange(parameters, host.clock.nowNs());
    const [total] = await volumes(clickhouse, selector(parameters), [], range, signal);
    const { lines = 0, bytes = 0, streams = 0 } = total ?? {};
    return { streams, chunks: 0, entries: lines, bytes };
  });

  for (const kind of ['volume', 'volume_range']) {
    both(`/loki/api/v1/index/${kind}`, async (parameters, signal) => {
      const range = timeRange(parameters, host.clock.nowNs());
      const query = selector(parameters);
      const asked = (text(parameters, 'targetLabels') ?? '').split(',').filter((name) => name !== '');
      const labels = asked.length > 0 ? asked : query.matchers.map(({ name }) => name);
      const by = labels.length > 0 ? labels : ['service_name'];
      const top = limit(parameters, linesMax);
      if (kind === 'volume') {
        const found = await volumes(clickhouse, query, by, range, signal);
        const at = seconds(range.endNs);
        const largest = found.slice(0, top);
        return success(
          'vector',
          largest.map(({ metric, bytes }) => ({ metric, value: [at, String(bytes)] })),
        );
      }
      const steps = stepsOf(range, text(parameters, 'step'));
      const rangeMs = Number(steps.stepNs / 1_000_000n);
      const result = await evaluateMetric(
        clickhouse,
        {
          type: 'vector',
          at: 0,
          op: 'sum',
          grouping: { mode: 'by', labels: by },
          expr: { type: 'range', at: 0, op: 'bytes_over_time', query, rangeMs },
        },
        steps,
        signal,
      );
      return success('matrix', matrix(result, steps).slice(0, top));
    });
  }

  app.get('/loki/api/v1/status/buildinfo', async () => ({
    version: routes.version,
    revision: '',
    branch: '',
    buildUser: '',
    buildDate: '',
    goVersion: '',
  }));
}

function success(resultType: string, result: unknown, more: object = {}): object {
  return { status: 'success', data: { resultType, result, ...more, stats: {} } };
}

function required(parameters: Parameters, name: string): string {
  const value = text(parameters, name);
  if (value === undefined) throw new QueryError(400, `cannot query: got no ${name}, want one`);
  return value;
}

/** Everything when no query is given. */
function selector(parameters: Parameters): LogQuery {
  return parseLogs(text(parameters, 'query') ?? '{}');
}

/** Start, start + step, … up to the end. */
function stepsOf(range: { startNs: bigint; endNs: bigint }, step: string | undefined): Steps {
  const span = range.endNs - range.startNs;
  const least = 1_000_000_000n;
  const stepNs =
    step === undefined
      ? span / 250n > least
        ? (span / 250n / least) * least
        : least
      : parseStep('step', step);
  const count = Number(span / stepNs) + 1;
  if (count > POINTS_MAX) {
    throw new QueryError(400, `cannot query: got ${count} points, want at most ${POINTS_MAX}: a longer step`);
  }
  return { startNs: range.startNs, stepNs, count };
}

function seconds(ns: bigint): number {
  return Number(ns / 1_000_000n) / 1000;
}

function matrix(
  result: MetricResult,
  steps: Steps,
): Array<{ metric: Series['labels']; values: Array<[number, string]> }> {
  const series =
    typeof result === 'number'
      ? [{ labels: {}, values: new Float64Array(steps.count).fill(result) }]
      : result;
  return series.flatMap(({ labels, values }) => {
    const points: Array<[number, string]> = [];
    for (const [index, value] of values.entries()) {
      if (Number.isNaN(value)) continue;
      points.push([seconds(steps.startNs + steps.stepNs * BigInt(index)), numberText(value)]);
    }
    return points.length > 0 ? [{ metric: labels, values: points }] : [];
  });
}
