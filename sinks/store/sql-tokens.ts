/**
 * SQL cut into tokens, just far enough to find where an INSERT's statement ends and its data begins. The text is
 * latin1 (one character a byte), so that positions are byte positions; the engine's own parser has the last word
 * on everything that is not inline data.
 */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'punctuation';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const SPACE = /[\s\u00a0]/;
const WORD = /[A-Za-z0-9_$\u0080-\u00ff]/;

/** The next token at or after `at`; undefined at the end of the text. */
export function nextToken(sql: string, at: number): Token | undefined {
  const start = skipBlank(sql, at);
  const first = sql[start];
  if (first === undefined) return undefined;
  if (first === "'" || first === '"' || first === '`') {
    const end = endOfQuoted(sql, start, first);
    return token(sql, first === "'" ? 'string' : 'quoted', start, end);
  }
  if (!WORD.test(first)) return token(sql, 'punctuation', start, start + 1);
  let end = start + 1;
  while (end < sql.length && WORD.test(sql[end]!)) end += 1;
  return token(sql, 'word', start, end);
}

/** Past blanks and the three kinds of comments. */
export function skipBlank(sql: string, at: number): number {
  let position = at;
  for (;;) {
    while (position < sql.length && SPACE.test(sql[position]!)) position += 1;
    if (sql.startsWith('--', position) || sql.startsWith('#!', position) || sql.startsWith('# ', position)) {
      const line = sql.indexOf('\n', position);
      position = line === -1 ? sql.length : line + 1;
    } else if (sql.startsWith('/*', position)) {
      const close = sql.indexOf('*/', position + 2);
      position = close === -1 ? sql.length : close + 2;
    } else {
      return position;
    }
  }
}

function endOfQuoted(sql: string, start: number, quote: string): number {
  let at = start + 1;
  while (at < sql.length) {
    if (sql[at] === '\\') at += 2;
    else if (sql[at] !== quote) at += 1;
    else if (sql[at + 1] === quote) at += 2;
    else return at + 1;
  }
  return sql.length;
}

function token(sql: string, kind: Token['kind'], start: number, end: number): Token {
  return { kind, text: sql.slice(start, end), start, end };
}
