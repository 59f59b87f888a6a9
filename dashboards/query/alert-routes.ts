/**
 * Rules and alerts in Prometheus' shapes, which Grafana's alerting pages list, and in Loki's YAML. What they
 * show is read from the alert part's topic: it is what is durable, also while that part is down.
 */
import type { FastifyInstance } from 'fastify';
import { stringify } from 'yaml';

import type { AlertsView, RuleGroupView } from '../../sinks/alerts/view.ts';
import { formatDuration } from '../../sinks/logql/units.ts';

export function alertRoutes(app: FastifyInstance, view: AlertsView): void {
  for (const prefix of ['/api/v1', '/prometheus/api/v1']) {
    app.get(`${prefix}/rules`, async () => ({ status: 'success', data: view.rules() }));
    app.get(`${prefix}/alerts`, async () => ({ status: 'success', data: view.alerts() }));
  }
  app.get('/api/alerts/notifications', async () => view.notifications());
  app.get('/loki/api/v1/rules', (_request, reply) =>
    reply.type('application/yaml; charset=utf-8').send(stringify(lokiRules(view.rules().groups))),
  );
}

/** Rule groups by file, as a rule file has them. Rules that could not be read have no query and are left out. */
export function lokiRules(groups: readonly RuleGroupView[]): Record<string, object[]> {
  const files: Record<string, object[]> = {};
  for (const { file, name, interval, rules } of groups) {
    const loaded = rules.filter(({ query }) => query !== '');
    if (loaded.length === 0) continue;
    files[file] ??= [];
    files[file].push({
      name,
      interval: formatDuration(interval),
      rules: loaded.map((rule) => ({
        alert: rule.name,
        expr: rule.query,
        ...(rule.duration > 0 ? { for: formatDuration(rule.duration) } : {}),
        ...(rule.keepFiringFor > 0 ? { keep_firing_for: formatDuration(rule.keepFiringFor) } : {}),
        labels: rule.labels,
        annotations: rule.annotations,
      })),
    });
  }
  return files;
}
