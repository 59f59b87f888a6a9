import { LogqlError } from './error.ts';
import { type Token, tokenize } from './lexer.ts';

/** Nesting deeper than this is nobody's query and would end the stack. */
const DEPTH_MAX = 64;

/** Where the parser stands in the tokens; knows how to complain. */
export class Cursor {
  readonly source: string;
  private readonly tokens: readonly Token[];
  private index = 0;
  private depth = 0;

  constructor(source: string) {
    this.source = source;
    this.tokens = tokenize(source);
  }

  get token(): Token {
    return this.tokens[this.index]!;
  }

  peek(ahead = 1): Token {
    return this.tokens[Math.min(this.index + ahead, this.tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.token;
    if (token.kind !== 'end') this.index += 1;
    return token;
  }

  is(operator: string): boolean {
    return this.token.kind === 'operator' && this.token.text === operator;
  }

  isWord(word: string): boolean {
    return this.token.kind === 'identifier' && this.token.text === word;
  }

  /** Takes the operator when it is next. */
  accept(operator: string): boolean {
    if (!this.is(operator)) return false;
    this.index += 1;
    return true;
  }

  expect(operator: string, want = operator): Token {
    if (!this.is(operator)) this.fail(want);
    return this.next();
  }

  identifier(want: string): Token {
    if (this.token.kind !== 'identifier') this.fail(want);
    return this.next();
  }

  string(want: string): { value: string; start: number } {
    const token = this.token;
    if (token.kind !== 'string') return this.fail(want);
    this.index += 1;
    return token;
  }

  /** Runs `inner` one level deeper, within the bound. */
  nested<T>(inner: () => T): T {
    this.depth += 1;
    if (this.depth > DEPTH_MAX) this.fail(`at most ${DEPTH_MAX} levels of nesting`);
    try {
      return inner();
    } finally {
      this.depth -= 1;
    }
  }

  fail(want: string, token: Token = this.token): never {
    throw new LogqlError(this.source, token.start, describe(token), `want ${want}`);
  }

  /** A word of LogQL that is known but not there yet. */
  refuse(feature: string, at: number = this.token.start): never {
    throw new LogqlError(this.source, at, feature, 'which is not supported yet');
  }
}

function describe(token: Token): string {
  return token.kind === 'end' ? 'the end of the query' : token.text;
}
