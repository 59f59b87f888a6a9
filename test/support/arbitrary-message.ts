import fc from 'fast-check';

import { type AnyField, type Fields, within, ZERO_UUID } from '../../broker/wire/schema.ts';

interface Sizes {
  readonly stringMax: number;
  readonly bytesMax: number;
  readonly itemsMax: number;
}

const SIZES: Sizes = { stringMax: 20, bytesMax: 2000, itemsMax: 3 };

/** Any value of these fields in this version, shaped as decoding gives it: what the version lacks is at its default. */
export function arbitraryMessage(
  fields: Fields,
  version: number,
  sizes: Sizes = SIZES,
): fc.Arbitrary<Record<string, unknown>> {
  const record: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [name, field] of Object.entries(fields)) {
    record[name] = within(field.versions, version)
      ? arbitraryField(field, version, sizes)
      : fc.constant(field.fallback());
  }
  return fc.record(record);
}

function arbitraryField(field: AnyField, version: number, sizes: Sizes): fc.Arbitrary<unknown> {
  const value = arbitraryShape(field, version, sizes);
  if (within(field.nullable, version)) return fc.option(value, { nil: null, freq: 4 });
  return value;
}

function arbitraryShape(field: AnyField, version: number, sizes: Sizes): fc.Arbitrary<unknown> {
  const { shape } = field;
  switch (shape.kind) {
    case 'bool':
      return fc.boolean();
    case 'int8':
      return fc.integer({ min: -128, max: 127 });
    case 'int16':
      return fc.integer({ min: -32_768, max: 32_767 });
    case 'uint16':
      return fc.integer({ min: 0, max: 65_535 });
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.maxSafeInteger();
    case 'float64':
      return fc.double({ noNaN: true });
    case 'uuid':
      return fc.oneof(fc.uuid(), fc.constant(ZERO_UUID));
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: sizes.stringMax });
    case 'bytes':
    case 'records':
      return fc.uint8Array({ maxLength: sizes.bytesMax }).map((bytes) => Buffer.from(bytes));
    case 'struct':
      return field.tag === undefined
        ? arbitraryMessage(shape.fields, version, sizes)
        : fc.option(arbitraryMessage(shape.fields, version, sizes), { nil: undefined });
    case 'array': {
      const { element } = shape;
      const one =
        'shape' in element && typeof element.fallback === 'function'
          ? arbitraryField(element as AnyField, version, sizes)
          : arbitraryMessage(element as Fields, version, sizes);
      return fc.array(one, { maxLength: sizes.itemsMax });
    }
  }
}
