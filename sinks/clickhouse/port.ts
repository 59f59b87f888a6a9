/**
 * ClickHouse as the sink uses it: statements, small answers, and inserts of prepared bytes. `@clickhouse/client` is
 * the adapter; tests put a scripted one in its place.
 */
export interface ClickHouse {
  /** True when it answers. Never throws. */
  ping(): Promise<boolean>;
  /** Resolves when the statement has been executed. Throws a `ClickHouseFailure`. */
  command(sql: string, params?: QueryParams): Promise<void>;
  /** Rows of a small answer, as objects. Throws a `ClickHouseFailure`. */
  rows<Row>(sql: string, params?: QueryParams): Promise<Row[]>;
  /**
   * One INSERT of RowBinary. When it rejects, whether the rows are in the table is unknown: also a refusal can come
   * after a part was written (a materialized view failed), and a connection can break after the commit.
   */
  insert(insert: Insert): Promise<void>;
  close(): Promise<void>;
}

export type QueryParams = Readonly<Record<string, string | number | readonly string[]>>;

export interface Insert {
  readonly table: string;
  readonly columns: readonly string[];
  readonly body: Uint8Array;
  readonly queryId: string;
  /** Becomes the statement's `log_comment`, by which it is found in system.processes and ended. */
  readonly mark: string;
}

/** What the delivery does about it. */
export type FailureKind =
  /** The rows themselves: some of them will never be accepted. */
  | 'data'
  /** The table or database is missing or other than ours, rights, read-only: waits for somebody. */
  | 'setup'
  /** Anything that may pass: refused connections, resets, timeouts, overload, a full disk. */
  | 'passing';

export class ClickHouseFailure extends Error {
  readonly kind: FailureKind;
  /** ClickHouse's code; 0 when no answer of ClickHouse came back. */
  readonly code: number;

  constructor(kind: FailureKind, code: number, message: string, cause: unknown) {
    super(message, { cause });
    this.kind = kind;
    this.code = code;
  }
}
