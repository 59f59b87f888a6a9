/**
 * Applied in order, once each. A migration that has been released is never changed: columns are added by a new one and
 * never renamed, since exporters and dashboards share these tables. The texts are modules, so that a bundle has them.
 */
import { otelLogs } from './0001-otel-logs.ts';
import { otelMetrics } from './0002-otel-metrics.ts';
import { otelTraces } from './0003-otel-traces.ts';

export interface Migration {
  readonly version: number;
  readonly name: string;
  /** Each can run twice: a crash between two of them starts the migration over. */
  readonly statements: readonly string[];
}

export function migrations(database: string): Migration[] {
  return [
    migration(1, 'otel-logs', otelLogs, database),
    migration(2, 'otel-metrics', otelMetrics, database),
    migration(3, 'otel-traces', otelTraces, database),
  ];
}

/** Our own texts: a semicolon at a line's end closes a statement. */
function migration(version: number, name: string, text: string, database: string): Migration {
  const statements = text
    .split(/;\s*$/m)
    .map((statement) => statement.trim().replaceAll('{database}', `\`${database}\``))
    .filter((statement) => statement !== '');
  return { version, name, statements };
}
