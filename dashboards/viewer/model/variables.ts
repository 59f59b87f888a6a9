/** Values of template variables, apart from where their options come from. */
import type { Variable, VariableOption } from './dashboard.ts';

/** What Grafana writes for "All" in URLs and files. */
export const ALL = '$__all';

/** Options that need no query: `custom` (`a : 1, b`), `interval`, `datasource`, or those stored in the file. */
export function initialOptions(variable: Variable): VariableOption[] {
  if (variable.type === 'custom' || variable.type === 'interval') {
    return parseCustomOptions(typeof variable.query === 'string' ? variable.query : '');
  }
  return (variable.options ?? []).filter(({ value }) => value !== ALL);
}

/** `label : value, plain`; a backslash keeps a comma in a value. */
export function parseCustomOptions(query: string): VariableOption[] {
  return query
    .split(/(?<!\\),/)
    .map((part) => part.trim().replaceAll('\\,', ','))
    .filter((part) => part !== '')
    .map((part) => {
      const pair = /^(.+?)\s+:\s+(.+)$/s.exec(part);
      return pair ? { text: pair[1] ?? '', value: pair[2] ?? '' } : { text: part, value: part };
    });
}

/** @param fromUrl values of `var-<name>`, empty when the URL names none */
export function chosenValue(
  variable: Variable,
  options: readonly VariableOption[],
  fromUrl: readonly string[],
): string | string[] {
  const stored = storedValue(variable);
  switch (variable.type) {
    case 'textbox':
      return fromUrl[0] ?? stored[0] ?? (typeof variable.query === 'string' ? variable.query : '');
    case 'constant':
      return typeof variable.query === 'string' ? variable.query : (stored[0] ?? '');
    default: {
      const wanted = fromUrl.length > 0 ? [...fromUrl] : stored;
      const first = variable.includeAll ? ALL : (options[0]?.value ?? '');
      if (!variable.multi) return wanted[0] ?? first;
      if (wanted.length === 0) return [first];
      // "All" with others is the others: whoever picks a value means that value.
      const others = wanted.filter((value) => value !== ALL);
      return others.length > 0 ? others : [ALL];
    }
  }
}

function storedValue({ current }: Variable): string[] {
  const value = current?.value;
  if (typeof value === 'string') return value === '' ? [] : [value];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

export function valueLabel(value: string | readonly string[], options: readonly VariableOption[]): string {
  const values = typeof value === 'string' ? [value] : value;
  if (values.length === 0) return 'none';
  return values
    .map((one) => (one === ALL ? 'All' : (options.find((option) => option.value === one)?.text ?? one)))
    .join(' + ');
}
