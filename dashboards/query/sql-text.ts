/** The parts of a ClickHouse statement that decide what a `$` in it means. */
export interface SqlPiece {
  readonly kind: 'code' | 'string' | 'identifier' | 'comment' | 'heredoc';
  /** With its quotes. */
  readonly text: string;
}

const HEREDOC = /\$\w*\$/y;

/** Cuts a statement at quotes and comments; the pieces joined are the statement again. */
export function sqlPieces(sql: string): SqlPiece[] {
  const pieces: SqlPiece[] = [];
  let codeStart = 0;
  let at = 0;
  const push = (kind: SqlPiece['kind'], end: number): void => {
    if (at > codeStart) pieces.push({ kind: 'code', text: sql.slice(codeStart, at) });
    pieces.push({ kind, text: sql.slice(at, end) });
    at = end;
    codeStart = end;
  };
  while (at < sql.length) {
    const char = sql[at];
    if (char === "'") push('string', endOfQuoted(sql, at));
    else if (char === '"' || char === '`') push('identifier', endOfQuoted(sql, at));
    else if (sql.startsWith('--', at) || (char === '#' && /[ !]/.test(sql[at + 1] ?? ''))) {
      const end = sql.indexOf('\n', at);
      push('comment', end === -1 ? sql.length : end);
    } else if (sql.startsWith('/*', at)) {
      const end = sql.indexOf('*/', at + 2);
      push('comment', end === -1 ? sql.length : end + 2);
    } else if (char === '$') {
      HEREDOC.lastIndex = at;
      const tag = HEREDOC.exec(sql)?.[0];
      const end = tag === undefined ? -1 : sql.indexOf(tag, at + tag.length);
      if (tag !== undefined && end !== -1) push('heredoc', end + tag.length);
      else at += 1;
    } else at += 1;
  }
  if (at > codeStart) pieces.push({ kind: 'code', text: sql.slice(codeStart, at) });
  return pieces;
}

/** Past the closing quote; a doubled or escaped quote does not close. The end when it never closes. */
function endOfQuoted(sql: string, start: number): number {
  const quote = sql[start];
  for (let at = start + 1; at < sql.length; at += 1) {
    if (sql[at] === '\\') at += 1;
    else if (sql[at] === quote) {
      if (sql[at + 1] !== quote) return at + 1;
      at += 1;
    }
  }
  return sql.length;
}

/** The index of the parenthesis that closes the one at `open`; -1 when none does. Honours quotes. */
export function closingParenthesis(sql: string, open: number): number {
  let depth = 0;
  for (let at = open; at < sql.length; at += 1) {
    const char = sql[at];
    if (char === "'" || char === '"' || char === '`') at = endOfQuoted(sql, at) - 1;
    else if (char === '(') depth += 1;
    else if (char === ')') {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return -1;
}

/** Splits at commas outside of quotes and brackets, trimmed; no arguments give an empty list. */
export function splitArguments(text: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === "'" || char === '"' || char === '`') at = endOfQuoted(text, at) - 1;
    else if (char === '(' || char === '[' || char === '{') depth += 1;
    else if (char === ')' || char === ']' || char === '}') depth -= 1;
    else if (char === ',' && depth === 0) {
      found.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  const last = text.slice(start).trim();
  return found.length === 0 && last === '' ? [] : [...found, last];
}

/** A ClickHouse string literal; safe for every input. */
export function sqlLiteral(value: string): string {
  return `'${escapeIn(value, "'")}'`;
}

/** What stands between the quotes of a literal or identifier. */
export function escapeIn(value: string, quote: string): string {
  let escaped = '';
  for (const char of value) {
    if (char === '\\' || char === quote) escaped += `\\${char}`;
    else if (char === '\0') escaped += '\\0';
    else escaped += char;
  }
  return escaped;
}
