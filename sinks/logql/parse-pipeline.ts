import type {
  ComparisonOperator,
  LabelFilter,
  LineFilter,
  LineOperator,
  LogQuery,
  Matcher,
  MatchOperator,
  ParserStage,
  Stage,
} from './ast.ts';
import type { Cursor } from './cursor.ts';
import { LogqlError } from './error.ts';
import { checkPattern } from './regex.ts';
import { COMPARISONS, MISSING_STAGES, PARSERS } from './vocabulary.ts';

/** `{…}` and the stages behind it. */
export function parseLogQuery(cursor: Cursor): LogQuery {
  const at = cursor.token.start;
  const matchers = parseSelector(cursor);
  return { type: 'log', at, matchers, stages: parseStages(cursor) };
}

function parseSelector(cursor: Cursor): Matcher[] {
  cursor.expect('{', 'a stream selector {…}');
  const matchers: Matcher[] = [];
  while (!cursor.is('}')) {
    matchers.push(parseMatcher(cursor));
    if (!cursor.accept(',') && !cursor.is('}')) cursor.fail(', or }');
  }
  cursor.expect('}');
  return matchers;
}

function parseMatcher(cursor: Cursor): Matcher {
  const name = cursor.identifier('a label name or }');
  const op = matchOperator(cursor, '=, !=, =~ or !~');
  const value = parseValue(cursor, op === '=~' || op === '!~');
  return { at: name.start, name: name.text, op, value };
}

export function parseStages(cursor: Cursor): Stage[] {
  const stages: Stage[] = [];
  for (;;) {
    const { kind, text, start } = cursor.token;
    if (kind !== 'operator') return stages;
    if (text === '|>' || text === '!>') cursor.refuse(`pattern filter ${text}`);
    if (text === '|=' || text === '!=' || text === '|~' || text === '!~') {
      stages.push(parseLineFilter(cursor, text));
    } else if (text === '|') {
      cursor.next();
      stages.push(parseStage(cursor, start));
    } else {
      return stages;
    }
  }
}

function parseLineFilter(cursor: Cursor, op: LineOperator): LineFilter {
  const at = cursor.next().start;
  const values: string[] = [];
  do {
    if (cursor.isWord('or')) cursor.next();
    if (cursor.isWord('ip')) cursor.refuse('ip()');
    values.push(parseValue(cursor, op === '|~' || op === '!~'));
  } while (cursor.isWord('or'));
  return { type: 'lineFilter', at, op, values };
}

function parseStage(cursor: Cursor, at: number): Stage {
  const { kind, text, start } = cursor.token;
  if (kind === 'identifier') {
    // A stage's name followed by an operator is a label of that name: `| json = "x"`.
    const compared = cursor.peek().kind === 'operator' && isFilterOperator(cursor.peek().text);
    if (MISSING_STAGES.has(text) && !compared) cursor.refuse(`stage ${text}`, start);
    const parser = PARSERS.find((one) => one === text);
    if (parser && !compared) return parseParser(cursor, parser, at);
  } else if (!cursor.is('(')) {
    cursor.fail('a stage: json, logfmt or a label filter');
  }
  return { type: 'labelFilter', at, filter: parseLabelFilter(cursor) };
}

function parseParser(cursor: Cursor, parser: (typeof PARSERS)[number], at: number): ParserStage {
  cursor.next();
  if (cursor.token.kind === 'identifier') cursor.refuse(`${parser} with expressions`);
  if (cursor.is('-') && cursor.peek().text === '-') cursor.refuse(`${parser} with flags`);
  return { type: 'parser', at, parser };
}

// `or` binds weaker than `and`; a comma or nothing between two filters is `and`.
function parseLabelFilter(cursor: Cursor): LabelFilter {
  return cursor.nested(() => {
    let left = parseLabelAnd(cursor);
    while (cursor.isWord('or')) {
      const at = cursor.next().start;
      left = { type: 'or', at, left, right: parseLabelAnd(cursor) };
    }
    return left;
  });
}

function parseLabelAnd(cursor: Cursor): LabelFilter {
  let left = parseLabelTerm(cursor);
  for (;;) {
    const { start } = cursor.token;
    const joined = cursor.isWord('and') || cursor.is(',');
    if (joined) cursor.next();
    else if (cursor.token.kind !== 'identifier' || cursor.isWord('or')) return left;
    left = { type: 'and', at: start, left, right: parseLabelTerm(cursor) };
  }
}

function parseLabelTerm(cursor: Cursor): LabelFilter {
  if (cursor.accept('(')) {
    const inner = parseLabelFilter(cursor);
    cursor.expect(')');
    return inner;
  }
  const name = cursor.identifier('a label name');
  const { kind, text } = cursor.token;
  if (kind !== 'operator' || !isFilterOperator(text)) cursor.fail('=, !=, =~, !~, ==, >, >=, < or <=');
  const operand = cursor.peek();
  if (operand.kind === 'identifier' && operand.text === 'ip') cursor.refuse('ip()', operand.start);
  if (operand.kind === 'string') {
    const op = matchOperator(cursor, '=, !=, =~ or !~ before a string');
    const value = parseValue(cursor, op === '=~' || op === '!~');
    return { type: 'string', at: name.start, name: name.text, op, value };
  }
  if (text === '=~' || text === '!~') {
    cursor.next();
    return cursor.fail('a string');
  }
  cursor.next();
  const sign = cursor.accept('-') ? -1 : 1;
  const number = cursor.next();
  if (number.kind !== 'number' && number.kind !== 'duration' && number.kind !== 'bytes') {
    return cursor.fail('a string, a number, a duration or a size', number);
  }
  const op = text === '=' ? '==' : (text as ComparisonOperator);
  return {
    type: 'number',
    at: name.start,
    name: name.text,
    op,
    unit: number.kind,
    value: sign * number.value,
  };
}

function matchOperator(cursor: Cursor, want: string): MatchOperator {
  const { kind, text } = cursor.token;
  if (kind !== 'operator' || (text !== '=' && text !== '!=' && text !== '=~' && text !== '!~')) {
    return cursor.fail(want);
  }
  cursor.next();
  return text;
}

function parseValue(cursor: Cursor, isPattern: boolean): string {
  const token = cursor.token;
  const { value, start } = cursor.string('a string');
  const want = isPattern ? checkPattern(value) : undefined;
  if (want) throw new LogqlError(cursor.source, start, token.text, `want ${want}`);
  return value;
}

function isFilterOperator(text: string): boolean {
  return text === '=' || text === '=~' || text === '!~' || COMPARISONS.some((one) => one === text);
}
