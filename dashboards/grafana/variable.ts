/** Dashboard variables of the classic model. */
import { DATASOURCE } from './clickhouse-query.ts';

export interface Variable {
  readonly name: string;
  readonly type: 'datasource' | 'query' | 'custom' | 'textbox';
  readonly [key: string]: unknown;
}

const ALL = { selected: true, text: ['All'], value: ['$__all'] };

/** The first on every dashboard: which ClickHouse data source to ask. */
export function datasourceVariable(): Variable {
  return {
    name: 'datasource',
    type: 'datasource',
    label: 'Data source',
    query: 'grafana-clickhouse-datasource',
    current: { selected: false, text: 'Millrace ClickHouse', value: 'millrace-clickhouse' },
    regex: '',
    refresh: 1,
    hide: 0,
    includeAll: false,
    multi: false,
    options: [],
    skipUrlSync: false,
  };
}

export interface ChoiceOptions {
  readonly name: string;
  readonly label: string;
  readonly description: string;
}

/** Values from a query: one column, or value and text. Asked again when the time range changes. */
export function queryVariable(options: ChoiceOptions & { readonly rawSql: string }): Variable {
  const query = { editorType: 'sql', refId: `variable-${options.name}`, rawSql: options.rawSql.trim() };
  return {
    name: options.name,
    type: 'query',
    label: options.label,
    description: options.description,
    datasource: DATASOURCE,
    query,
    definition: query.rawSql,
    current: ALL,
    regex: '',
    refresh: 2,
    sort: 1,
    hide: 0,
    includeAll: true,
    multi: true,
    options: [],
    skipUrlSync: false,
  };
}

export function customVariable(options: ChoiceOptions & { readonly values: readonly string[] }): Variable {
  return {
    name: options.name,
    type: 'custom',
    label: options.label,
    description: options.description,
    query: options.values.join(','),
    current: ALL,
    hide: 0,
    includeAll: true,
    multi: true,
    options: [
      { selected: true, text: 'All', value: '$__all' },
      ...options.values.map((value) => ({ selected: false, text: value, value })),
    ],
    skipUrlSync: false,
  };
}

export function textboxVariable(options: ChoiceOptions): Variable {
  return {
    name: options.name,
    type: 'textbox',
    label: options.label,
    description: options.description,
    query: '',
    current: { selected: false, text: '', value: '' },
    hide: 0,
    options: [{ selected: true, text: '', value: '' }],
    skipUrlSync: false,
  };
}
