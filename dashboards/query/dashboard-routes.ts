/** The viewer's own API: dashboard files, their panels' data, their variables' values. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

import type { Log } from '../../broker/host/log.ts';
import type { ClickHouseReader } from './clickhouse-reader.ts';
import { type DashboardFile, readDashboards } from './dashboard-files.ts';
import type { VariableValue } from './interpolation.ts';
import { queryPanel, variableOptions } from './panel-query.ts';
import { QueryError } from './query-error.ts';
import { leaving, parse, variableValues } from './request.ts';

export interface DashboardRoutes {
  readonly clickhouse: ClickHouseReader;
  readonly dashboardsDir: string;
  readonly log: Log;
}

const panelParams = z.object({ uid: z.string(), panelId: z.coerce.number().int() });

const panelBody = z.object({
  from: z.number(),
  to: z.number(),
  maxDataPoints: z.number().positive().default(1000),
  variables: variableValues.default({}),
});

const uidParams = z.object({ uid: z.string() });
const variableParams = z.object({ uid: z.string(), name: z.string() });
const variableRange = z.looseObject({ from: z.coerce.number(), to: z.coerce.number() });

export function dashboardRoutes(app: FastifyInstance, routes: DashboardRoutes): void {
  const { clickhouse, dashboardsDir, log } = routes;
  const find = async (uid: string): Promise<DashboardFile> => {
    const files = await readDashboards(dashboardsDir, log);
    const found = files.find((file) => file.uid === uid);
    if (!found) throw new QueryError(404, `cannot find dashboard ${uid}`);
    return found;
  };

  app.get('/api/dashboards', async () => {
    const files = await readDashboards(dashboardsDir, log);
    return files.map(({ uid, title, tags, description }) => ({ uid, title, tags, description }));
  });

  app.get('/api/dashboards/:uid', async (request, reply) => {
    const { uid } = parse(uidParams, request.params, 'path');
    const { text } = await find(uid);
    return reply.type('application/json; charset=utf-8').send(text);
  });

  app.post('/api/dashboards/:uid/panels/:panelId/query', async (request, reply) => {
    const { uid, panelId } = parse(panelParams, request.params, 'path');
    const body = parse(panelBody, request.body, 'panel query');
    return queryPanel(clickhouse, await find(uid), panelId, body, leaving(reply));
  });

  app.get('/api/dashboards/:uid/variables/:name', async (request, reply) => {
    const { uid, name } = parse(variableParams, request.params, 'path');
    const query = parse(variableRange, request.query, 'query string');
    const variables = variablesOf(query);
    return variableOptions(clickhouse, await find(uid), name, { ...query, variables }, leaving(reply));
  });
}

/** `var-name=value` of a dashboard's address; repeated for several values. */
function variablesOf(query: Readonly<Record<string, unknown>>): Record<string, VariableValue> {
  const found: Record<string, VariableValue> = {};
  for (const [key, value] of Object.entries(query)) {
    if (!key.startsWith('var-')) continue;
    if (typeof value === 'string') found[key.slice(4)] = value;
    else if (Array.isArray(value)) found[key.slice(4)] = value.map(String);
  }
  return found;
}
