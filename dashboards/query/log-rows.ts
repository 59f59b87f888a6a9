/** Rows of `otel_logs` as the log records that they were made of, so that everything in `sinks/logql` fits. */
import type { LogRecord, Resource } from '../../broker/records/otlp/model.ts';
import type { LogQuery } from '../../sinks/logql/ast.ts';
import { type Extracted, compilePipeline } from '../../sinks/logql/match.ts';
import type { ClickHouseReader } from './clickhouse-reader.ts';
import { type TimeRange, pipelineSql, timeSql, validSql } from './logql-sql.ts';
import { QueryError } from './query-error.ts';

export interface FoundLog {
  readonly record: LogRecord;
  /** Labels that parser stages took from the line. */
  readonly extracted: Extracted;
  /** Length of the line as it was sent. */
  readonly lineBytes: number;
}

export interface LogScan {
  readonly query: LogQuery;
  readonly range: TimeRange;
  readonly direction: 'forward' | 'backward';
  /** Rows to find. */
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
  /** Rows read at a time: what one answer of ClickHouse may hold in memory. */
  readonly pageRowsMax?: number;
}

/** Rows that one query may read back to judge them in this process. */
const SCANNED_ROWS_MAX = 500_000;
const PAGE_ROWS_MAX = 10_000;

/**
 * Finds up to `limit` rows in time order; of one time in the order of the record that they came with, so that
 * a file's lines keep their order. Stages that SQL cannot judge are applied here, page by page.
 */
export async function findLogs(clickhouse: ClickHouseReader, scan: LogScan): Promise<FoundLog[]> {
  const { where, complete } = pipelineSql(scan.query);
  const pipeline = complete ? undefined : compilePipeline(scan.query);
  const conditions = [...timeSql(scan.range), ...where];
  const found: FoundLog[] = [];
  let scanned = 0;
  let cursor: readonly unknown[] | undefined;
  while (found.length < scan.limit) {
    const wanted = complete ? scan.limit - found.length : Math.max(1_000, scan.limit * 2);
    const pageRows = Math.min(scan.pageRowsMax ?? PAGE_ROWS_MAX, wanted);
    const { rows } = await clickhouse.select(pageSql(conditions, cursor, scan.direction, pageRows), {
      exactIntegers: true,
      ...(scan.signal ? { signal: scan.signal } : {}),
    });
    const resources = new Map<string, Resource>();
    for (const row of rows) {
      const record = recordOf(row, resources);
      const extracted = pipeline ? pipeline(record) : NOTHING;
      if (extracted && found.length < scan.limit)
        found.push({ record, extracted, lineBytes: Number(row[LINE_BYTES]) });
    }
    if (rows.length < pageRows) break;
    cursor = rows.at(-1)!.slice(0, KEY.length);
    scanned += rows.length;
    if (!complete && scanned >= SCANNED_ROWS_MAX) {
      throw new QueryError(
        400,
        `cannot finish the query: read ${scanned} lines to parse and found ${found.length}, want a narrower time range or a line filter before the parser`,
      );
    }
  }
  return found;
}

const NOTHING: Extracted = new Map();

/** What orders rows and names one of them. */
const KEY = ['toUnixTimestamp64Nano(Timestamp)', '_origin', '_topic', '_partition', '_offset', '_index'];

const COLUMNS = [
  ...KEY,
  validSql('Body'),
  'SeverityNumber',
  'SeverityText',
  'TraceId',
  'SpanId',
  'TraceFlags',
  'ScopeName',
  'EventName',
  'ResourceAttributes',
  'LogAttributes',
  'length(Body)',
];

const LINE_BYTES = COLUMNS.length - 1;

function pageSql(
  conditions: readonly string[],
  after: readonly unknown[] | undefined,
  direction: LogScan['direction'],
  limit: number,
): string {
  const [order, beyond] = direction === 'forward' ? ['ASC', '>'] : ['DESC', '<'];
  const where = after
    ? [
        ...conditions,
        // Prunes by the sort key, which the tuple below cannot.
        `Timestamp ${beyond}= fromUnixTimestamp64Nano(toInt64(${keyLiteral(after[0], 0)}))`,
        `(${KEY.join(', ')}) ${beyond} (${after.map(keyLiteral).join(', ')})`,
      ]
    : conditions;
  const sort = ['toStartOfFiveMinutes(Timestamp)', 'Timestamp', ...KEY.slice(1)];
  return `SELECT ${COLUMNS.join(', ')}
FROM otel_logs
WHERE ${where.join(' AND ')}
ORDER BY ${sort.map((column) => `${column} ${order}`).join(', ')}
LIMIT ${limit}`;
}

/** Values that came from the table itself: 64-bit numbers as decimal strings, the two names as text. */
function keyLiteral(value: unknown, index: number): string {
  if (index === 1 || index === 2) return `'${String(value).replaceAll(/['\\]/g, '\\$&')}'`;
  return String(BigInt(value as string | number));
}

function recordOf(row: readonly unknown[], resources: Map<string, Resource>): LogRecord {
  const [
    time,
    ,
    ,
    ,
    ,
    ,
    body,
    severity,
    severityText,
    traceId,
    spanId,
    flags,
    scopeName,
    event,
    resource,
    log,
  ] = row as readonly [string, ...unknown[]];
  const key = JSON.stringify(resource);
  let shared = resources.get(key);
  if (!shared) {
    shared = { attributes: attributes(resource), schemaUrl: '' };
    resources.set(key, shared);
  }
  return {
    timeUnixNano: BigInt(time),
    observedTimeUnixNano: 0n,
    severityNumber: Number(severity),
    severityText: String(severityText),
    body: String(body),
    attributes: attributes(log),
    droppedAttributesCount: 0,
    flags: Number(flags),
    traceId: String(traceId),
    spanId: String(spanId),
    eventName: String(event),
    resource: shared,
    scope: {
      name: String(scopeName),
      version: '',
      attributes: {},
      droppedAttributesCount: 0,
      schemaUrl: '',
    },
  };
}

/** Without a prototype, as the OTLP reader makes them. */
function attributes(map: unknown): Record<string, string> {
  return Object.assign(Object.create(null) as Record<string, string>, map);
}
