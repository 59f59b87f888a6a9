/**
 * A query of Grafana's ClickHouse data source (`grafana-clickhouse-datasource`), as it stands in a panel's
 * `targets`. Raw SQL only: the plugin's builder mode stores the same SQL beside a model of its own.
 */
export interface ClickhouseQuery {
  readonly refId: string;
  readonly datasource: DatasourceRef;
  readonly editorType: 'sql';
  readonly rawSql: string;
  /** 0 time series, 1 table, 2 logs. */
  readonly format: 0 | 1 | 2;
  readonly queryType: 'timeseries' | 'table' | 'logs';
  readonly pluginVersion: string;
}

export interface DatasourceRef {
  readonly type: 'grafana-clickhouse-datasource';
  readonly uid: string;
}

/** Through the dashboard's variable, so that a file fits any Grafana; never `__inputs`. */
export const DATASOURCE: DatasourceRef = { type: 'grafana-clickhouse-datasource', uid: '${datasource}' };

const FORMATS = { timeseries: 0, table: 1, logs: 2 } as const;

/** Tables are unqualified: the data source's default database names them, here and in the viewer. */
export function clickhouseQuery(
  queryType: ClickhouseQuery['queryType'],
  rawSql: string,
  refId = 'A',
): ClickhouseQuery {
  return {
    refId,
    datasource: DATASOURCE,
    editorType: 'sql',
    rawSql: rawSql.trim(),
    format: FORMATS[queryType],
    queryType,
    pluginVersion: '4.20.0',
  };
}
