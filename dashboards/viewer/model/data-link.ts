/** Addresses of data links with their variables filled in. */
import { textOf } from './field-config.ts';
import { safeHref } from './markdown.tsx';

export interface LinkValues {
  fromMs: number;
  toMs: number;
  /** Text and number of the cell or point. */
  value?: unknown;
  text?: string;
  fieldName?: string;
  labels?: Readonly<Record<string, string>>;
  /** Other columns of the row, by name. */
  row?: Readonly<Record<string, unknown>>;
  variables?: Readonly<Record<string, string | readonly string[]>>;
}

/** @returns a safe address, or undefined when the result is none */
export function expandLink(template: string, values: LinkValues): string | undefined {
  const text = template.replaceAll(/\$\{([^}]+)\}|\$(__\w+)/g, (whole, braced?: string, bare?: string) => {
    const expanded = expandOne(braced ?? bare ?? '', values);
    return expanded ?? whole;
  });
  return safeHref(text);
}

function expandOne(name: string, values: LinkValues): string | undefined {
  const encode = (value: unknown): string => encodeURIComponent(textOf(value));
  switch (name) {
    case '__url_time_range':
      return `from=${values.fromMs}&to=${values.toMs}`;
    case '__from':
      return String(values.fromMs);
    case '__to':
      return String(values.toMs);
    case '__all_variables':
      return Object.entries(values.variables ?? {})
        .flatMap(([key, value]) => [value].flat().map((one) => `var-${encode(key)}=${encode(one)}`))
        .join('&');
    case '__value.raw':
    case '__value.numeric':
      return encode(values.value);
    case '__value.text':
      return encode(values.text);
    case '__field.name':
    case '__series.name':
      return encode(values.fieldName);
  }
  const label = /^__field\.labels\.(.+)$/.exec(name)?.[1] ?? /^__field\.labels\["(.+)"\]$/.exec(name)?.[1];
  if (label !== undefined) return encode(values.labels?.[label]);
  const column = /^__data\.fields\.(.+)$/.exec(name)?.[1] ?? /^__data\.fields\["(.+)"\]$/.exec(name)?.[1];
  if (column !== undefined) return encode(values.row?.[column]);
  const [variable = '', format] = name.split(':');
  const value = values.variables?.[variable];
  if (value === undefined) return undefined;
  if (format === 'queryparam')
    return [value]
      .flat()
      .map((one) => `var-${encode(variable)}=${encode(one)}`)
      .join('&');
  return encode([value].flat().join(','));
}
