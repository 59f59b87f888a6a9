/**
 * Takes an INSERT apart: `INSERT INTO <target> [SETTINGS …] FORMAT <name>` and the data behind it. Data never
 * reaches the engine as SQL text: its parser ends inline data at the first blank line and runs what follows as
 * statements. It goes to a file, and the statement becomes `INSERT … FROM INFILE`.
 */
import { refuse } from './errors.ts';
import { nextToken, type Token } from './sql-tokens.ts';

export interface InsertStatement {
  /** Table and columns, as written. */
  readonly target: string;
  /** `SETTINGS a = 1` as written, or empty. */
  readonly settings: string;
  readonly format: string;
  /** Where in the text the data begins. */
  readonly dataStart: number;
}

/**
 * Of an INSERT with data; undefined for everything else, INSERT … SELECT among it. `sql` is latin1.
 * Throws a `StoreError` when it asks for a file by name, and when it cannot be understood: an INSERT whose data
 * has not been told from its statement must not reach the engine.
 */
export function parseInsert(sql: string): InsertStatement | undefined {
  const insert = nextToken(sql, 0);
  if (!isWord(insert, 'INSERT')) return undefined;
  let token = nextToken(sql, insert!.end);
  if (isWord(token, 'INTO')) token = nextToken(sql, token!.end);
  if (isWord(token, 'TABLE')) token = nextToken(sql, token!.end);
  if (isWord(token, 'FUNCTION') || token === undefined) return undefined;
  const targetStart = token.start;
  let targetEnd = endOfTableName(sql, token);
  let settingsStart = -1;
  let settingsEnd = -1;
  for (token = nextToken(sql, targetEnd); token !== undefined; token = nextToken(sql, token.end)) {
    if (token.text === '(' && settingsStart === -1) {
      const inner = nextToken(sql, token.end);
      if (isWord(inner, 'SELECT') || isWord(inner, 'WITH')) return undefined;
      targetEnd = endOfParenthesis(sql, token);
      token = { ...token, end: targetEnd };
    } else if (isWord(token, 'SETTINGS')) {
      settingsStart = token.start;
    } else if (isWord(token, 'FROM')) {
      throw refuse.absent(
        'cannot read a file of the server: got INSERT … FROM INFILE, want the data in the request',
      );
    } else if (isWord(token, 'SELECT') || isWord(token, 'WITH') || isWord(token, 'WATCH')) {
      return undefined;
    } else if (isWord(token, 'VALUES')) {
      return statement('Values', token.end);
    } else if (isWord(token, 'FORMAT')) {
      const name = nextToken(sql, token.end);
      if (name?.kind !== 'word') break;
      if (isWord(name, 'VALUES')) return statement('Values', name.end);
      return statement(name.text, startOfData(sql, name.end));
    } else if (settingsStart === -1 || token.text === ';') {
      break;
    }
    settingsEnd = token.end;
  }
  throw refuse.syntax(
    'cannot insert: want INSERT INTO table [(columns)] [SETTINGS …] VALUES, FORMAT name or SELECT',
  );

  function statement(format: string, dataStart: number): InsertStatement {
    return {
      target: sql.slice(targetStart, targetEnd),
      settings: settingsStart === -1 ? '' : sql.slice(settingsStart, settingsEnd),
      format,
      dataStart,
    };
  }
}

/** `path` comes from us; it is quoted all the same. */
export function insertFromFile(insert: InsertStatement, path: string): string {
  const quoted = path.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  return `INSERT INTO ${insert.target} FROM INFILE '${quoted}' ${insert.settings} FORMAT ${insert.format}`;
}

/** The same statement without data, for the engine's classifier. */
export function insertHead(insert: InsertStatement): string {
  return `INSERT INTO ${insert.target} ${insert.settings} FORMAT ${insert.format}`;
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === word;
}

/** `a`, `a.b`, `"a"."b"`, `{name:Identifier}`. */
function endOfTableName(sql: string, first: Token): number {
  let end = first.text === '{' ? endOfBrace(sql, first) : first.end;
  for (;;) {
    const dot = nextToken(sql, end);
    if (dot?.text !== '.') return end;
    const part = nextToken(sql, dot.end);
    if (part === undefined) return end;
    end = part.text === '{' ? endOfBrace(sql, part) : part.end;
  }
}

function endOfBrace(sql: string, open: Token): number {
  const close = sql.indexOf('}', open.end);
  return close === -1 ? sql.length : close + 1;
}

function endOfParenthesis(sql: string, open: Token): number {
  let depth = 1;
  for (let token = nextToken(sql, open.end); token !== undefined; token = nextToken(sql, token.end)) {
    if (token.text === '(') depth += 1;
    if (token.text === ')') depth -= 1;
    if (depth === 0) return token.end;
  }
  return sql.length;
}

/** After blanks and at most one line end, as ClickHouse does: a second blank line belongs to the data. */
function startOfData(sql: string, at: number): number {
  let start = at;
  while (sql[start] === ' ' || sql[start] === '\t' || sql[start] === '\f') start += 1;
  if (sql[start] === ';') {
    throw refuse.syntax("cannot insert: got ';' before the data, want it right after the format's name");
  }
  if (sql[start] === '\r') start += 1;
  if (sql[start] === '\n') start += 1;
  return start;
}
