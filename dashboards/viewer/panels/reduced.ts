/** Which single values a stat, gauge or bar gauge shows. */
import type { Panel } from '../model/dashboard.ts';
import {
  type DisplayField,
  type DisplayFrame,
  displayValue,
  type DisplayValue,
  regexOf,
  textOf,
} from '../model/field-config.ts';
import { reduceValues } from '../model/reducers.ts';

export interface ReducedValue {
  name: string;
  field: DisplayField;
  times: number[];
  value: unknown;
  display: DisplayValue;
}

interface ReduceOptions {
  values?: boolean;
  calcs?: string[];
  fields?: string;
  limit?: number;
}

// Beyond this the tiles are too small to read.
const VALUES_MAX = 100;

export function reducedValues(panel: Panel, frames: readonly DisplayFrame[]): ReducedValue[] {
  const options = (panel.options?.['reduceOptions'] as ReduceOptions | undefined) ?? {};
  const calc = options.calcs?.[0] ?? 'lastNotNull';
  const result: ReducedValue[] = [];
  for (const frame of frames) {
    const times = (frame.fields.find(({ type }) => type === 'time')?.values ?? []) as number[];
    const text = frame.fields.find(({ type }) => type === 'string');
    for (const field of frame.fields) {
      if (!wanted(field, options.fields ?? '')) continue;
      if (options.values) {
        for (const [index, value] of field.values.slice(0, options.limit ?? 25).entries()) {
          const name = text ? textOf(text.values[index]) : field.displayName;
          result.push({ name, field, times, value, display: displayValue(field, value) });
        }
      } else {
        const value =
          field.type === 'number' ? reduceValues(calc, field.values) : (field.values.at(-1) ?? null);
        result.push({ name: field.displayName, field, times, value, display: displayValue(field, value) });
      }
    }
  }
  return result.slice(0, VALUES_MAX);
}

function wanted(field: DisplayField, fields: string): boolean {
  if (fields === '') return field.type === 'number';
  const pattern = fields.startsWith('/') ? regexOf(fields) : undefined;
  return pattern ? pattern.test(field.displayName) : field.displayName === fields;
}
