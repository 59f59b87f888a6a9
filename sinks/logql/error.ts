/** A query that cannot be used: the sender's mistake or a feature that is not there. HTTP 400 for servers. */
export class LogqlError extends Error {
  override readonly name = 'LogqlError';
  /** Offset in the query text. */
  readonly offset: number;
  /** 1-based; columns count UTF-16 units. */
  readonly line: number;
  readonly column: number;

  constructor(source: string, offset: number, got: string, rest: string) {
    const { line, column } = lineColumn(source, offset);
    super(`cannot parse query: got ${got} at ${line}:${column}, ${rest}`);
    this.offset = offset;
    this.line = line;
    this.column = column;
  }
}

export function lineColumn(source: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let at = source.indexOf('\n'); at !== -1 && at < offset; at = source.indexOf('\n', at + 1)) {
    line += 1;
    start = at + 1;
  }
  return { line, column: offset - start + 1 };
}
