/**
 * The level of a log row as LogQL's `level` label has it: by the severity's number, else by its text, else
 * `unknown`. One expression for dashboards and queries, so that both count alike.
 */
export const LEVELS = ['fatal', 'critical', 'error', 'warn', 'info', 'debug', 'trace', 'unknown'] as const;

const BY_TEXT: ReadonlyArray<readonly [level: string, texts: readonly string[]]> = [
  ['trace', ['trace', 'trc']],
  ['debug', ['debug', 'dbg']],
  ['info', ['info', 'inf', 'information', 'notice']],
  ['warn', ['warn', 'warning', 'wrn']],
  ['error', ['error', 'err']],
  ['critical', ['critical', 'crit']],
  ['fatal', ['fatal', 'panic', 'emerg']],
];

const list = (values: readonly string[]): string => `[${values.map((value) => `'${value}'`).join(', ')}]`;
const texts = BY_TEXT.flatMap(([, names]) => names);
const levels = BY_TEXT.flatMap(([level, names]) => names.map(() => level));

export const LEVEL_SQL = `if(SeverityNumber BETWEEN 1 AND 24,
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal'][intDiv(SeverityNumber - 1, 4) + 1],
    transform(lower(SeverityText), ${list(texts)},
      ${list(levels)}, 'unknown'))`;
