import { RE2JS, RE2JSException } from 're2js';

/**
 * Users' regular expressions: RE2 syntax, linear time. JavaScript's own engine needs 15 s for `^(a+)+$` on 28
 * characters, so no pattern that a user wrote may ever reach it.
 */
export type Test = (text: string) => boolean;

/** Longer patterns are refused: compiled size and time a line grow with the pattern. */
export const PATTERN_LENGTH_MAX = 4_096;

/** Undefined when the pattern can be used, else what is wrong with it. */
export function checkPattern(pattern: string): string | undefined {
  if (pattern.length > PATTERN_LENGTH_MAX) {
    return `at most ${PATTERN_LENGTH_MAX} characters in a regular expression`;
  }
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const reason = error.message.replace(/^error parsing regexp: /, '');
    return `a regular expression in RE2 syntax (${reason})`;
  }
}

/** Matches anywhere, as line filters do. */
export function compileSearch(pattern: string): Test {
  // Patterns without operators are what most people write: no engine at all for those.
  if (isLiteral(pattern)) return (text) => text.includes(pattern);
  const compiled = RE2JS.compile(pattern);
  return (text) => compiled.test(text);
}

/** Matches the whole value, as label matchers do. The dot includes line ends there. */
export function compileWhole(pattern: string): Test {
  if (isLiteral(pattern)) return (text) => text === pattern;
  if (pattern === '.*') return () => true;
  if (pattern === '.+') return (text) => text !== '';
  const compiled = RE2JS.compile(`^(?s:${pattern})$`);
  return (text) => compiled.test(text);
}

function isLiteral(pattern: string): boolean {
  return !/[\\^$.|?*+()[\]{}]/.test(pattern);
}
