import type { LogRecord } from '../../broker/records/otlp/model.ts';
import type {
  LabelFilter,
  LineFilter,
  LogQuery,
  Matcher,
  MatchOperator,
  NumberFilter,
  Stage,
} from './ast.ts';
import { extractJson, extractLogfmt } from './extract.ts';
import { labelOf, lineOf } from './labels.ts';
import { compileSearch, compileWhole } from './regex.ts';
import { parseBytes, parseDuration, parseNumber } from './units.ts';
import { compare } from './operators.ts';

/** Labels that parser stages took from the line, by name. */
export type Extracted = ReadonlyMap<string, string>;

export const NOTHING_EXTRACTED: Extracted = new Map();

/** What a record must pass: undefined where it does not match, else what was extracted on the way. */
export type Pipeline = (record: LogRecord) => Extracted | undefined;

/** A log query as a test on records, for whoever needs no extracted labels. */
export function compileFilter(query: LogQuery): (record: LogRecord) => boolean {
  const pipeline = compilePipeline(query);
  return (record) => pipeline(record) !== undefined;
}

/** A log query, compiled once: selector first, then the stages in their order. */
export function compilePipeline(query: LogQuery): Pipeline {
  const matchers = query.matchers.map(compileMatcher);
  const stages = query.stages.map(compileStage);
  const parses = query.stages.some((stage) => stage.type === 'parser');
  return (record) => {
    for (const matches of matchers) if (!matches(record)) return undefined;
    if (stages.length === 0) return NOTHING_EXTRACTED;
    const line = lineOf(record);
    const extracted: Map<string, string> = parses ? new Map() : (NOTHING_EXTRACTED as Map<string, string>);
    for (const stage of stages) if (!stage(record, line, extracted)) return undefined;
    return extracted;
  };
}

/** A label of a record that passed: extracted, stream label or metadata; the empty string when absent. */
export function labelIn(record: LogRecord, extracted: Extracted, name: string): string {
  return extracted.get(name) ?? labelOf(record, name);
}

type CompiledStage = (record: LogRecord, line: string, extracted: Map<string, string>) => boolean;

function compileMatcher({ name, op, value }: Matcher): (record: LogRecord) => boolean {
  const test = compileTest(op, value);
  return (record) => test(labelOf(record, name));
}

function compileStage(stage: Stage): CompiledStage {
  switch (stage.type) {
    case 'lineFilter': {
      const test = compileLineFilter(stage);
      return (_record, line) => test(line);
    }
    case 'parser':
      return compileParser(stage.parser);
    case 'labelFilter':
      return compileLabelFilter(stage.filter);
  }
}

function compileLineFilter({ op, values }: LineFilter): (line: string) => boolean {
  const tests = values.map((value) =>
    op === '|=' || op === '!=' ? (line: string) => line.includes(value) : compileSearch(value),
  );
  const [only] = tests;
  const any = tests.length === 1 && only ? only : (line: string) => tests.some((test) => test(line));
  return op === '|=' || op === '|~' ? any : (line) => !any(line);
}

function compileParser(parser: 'json' | 'logfmt'): CompiledStage {
  const extract = parser === 'json' ? extractJson : extractLogfmt;
  const error = parser === 'json' ? 'JSONParserErr' : 'LogfmtParserErr';
  return (record, line, extracted) => {
    const done = extract(line, (name, value) => {
      // A label that the record has already keeps its value; the line's goes beside it.
      extracted.set(labelOf(record, name) === '' ? name : `${name}_extracted`, value);
    });
    if (!done) extracted.set('__error__', error);
    return true;
  };
}

function compileLabelFilter(filter: LabelFilter): CompiledStage {
  switch (filter.type) {
    case 'string': {
      const test = compileTest(filter.op, filter.value);
      const { name } = filter;
      return (record, _line, extracted) => test(labelIn(record, extracted, name));
    }
    case 'number': {
      const test = compileNumberFilter(filter);
      const { name } = filter;
      return (record, _line, extracted) => test(labelIn(record, extracted, name));
    }
    case 'and':
    case 'or': {
      const left = compileLabelFilter(filter.left);
      const right = compileLabelFilter(filter.right);
      return filter.type === 'and'
        ? (...args) => left(...args) && right(...args)
        : (...args) => left(...args) || right(...args);
    }
  }
}

function compileTest(op: MatchOperator, value: string): (text: string) => boolean {
  switch (op) {
    case '=':
      return (text) => text === value;
    case '!=':
      return (text) => text !== value;
    case '=~':
      return compileWhole(value);
    case '!~': {
      const test = compileWhole(value);
      return (text) => !test(text);
    }
  }
}

function compileNumberFilter({ op, unit, value }: NumberFilter): (text: string) => boolean {
  const read = unit === 'duration' ? parseDuration : unit === 'bytes' ? parseSize : parseNumber;
  return (text) => {
    const number = read(text);
    return number !== undefined && compare(op, number, value);
  };
}

/** A label may give its size as a bare number of bytes. */
function parseSize(text: string): number | undefined {
  return parseBytes(text) ?? parseNumber(text);
}
