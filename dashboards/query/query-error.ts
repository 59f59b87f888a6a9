/** An expected failure of a query: HTTP status and a message for the person who asked. */
export class QueryError extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'QueryError';
    this.status = status;
  }

  /**
   * What the ClickHouse client threw: the engine's own words with 400 (or 503 when it is its load), 503 when
   * nobody answers.
   */
  static from(error: unknown): QueryError {
    if (error instanceof QueryError) return error;
    if (error instanceof Error) {
      const { code, type } = error as Error & { code?: string; type?: string };
      if (type !== undefined || /^\d+$/.test(code ?? '')) {
        return new QueryError(BUSY.has(type ?? '') ? 503 : 400, `${error.message} (${type ?? code})`, {
          cause: error,
        });
      }
      if (error.name === 'AbortError' || /abort/i.test(error.message)) {
        return new QueryError(499, 'cannot finish the query: the asker has left', { cause: error });
      }
      if (/timeout/i.test(error.message)) {
        return new QueryError(504, `cannot finish the query: ${error.message}`, { cause: error });
      }
      return new QueryError(503, `cannot reach ClickHouse: ${error.message || code || error.name}`, {
        cause: error,
      });
    }
    return new QueryError(500, String(error));
  }
}

const BUSY = new Set(['TOO_MANY_SIMULTANEOUS_QUERIES', 'MEMORY_LIMIT_EXCEEDED']);
