/**
 * The notation of message schemas: fields in wire order, each with the versions that carry it.
 *
 * ```ts
 * const request = {
 *   groupId: string('0-7'),
 *   topics: array({ name: string(), partitions: array(int32()) }, '0-7', { nullable: '2-7' }),
 *   requireStable: bool('7+', { default: false }),
 * };
 * ```
 *
 * Versions default to all. A field outside its versions is skipped on the wire and reads as its default.
 * `tag` makes it a tagged field of the flexible versions. `Decoded` and `Encodable` are the TypeScript types:
 * all fields present, or those with a default, a tag or a bounded range optional.
 */
export type Versions = `${number}+` | `${number}-${number}` | `${number}`;

export type Primitive =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | 'records';

export type Shape =
  | { readonly kind: Primitive }
  | { readonly kind: 'array'; readonly element: AnyField | Fields }
  | { readonly kind: 'struct'; readonly fields: Fields };

/** `Out` is what decoding gives, `In` what encoding takes, `Optional` whether `In` may be left out. */
export interface Field<Out, In, Optional extends boolean> {
  readonly shape: Shape;
  readonly versions: Range;
  readonly nullable: Range | undefined;
  readonly fallback: () => unknown;
  readonly tag: number | undefined;
  readonly types?: { out: Out; in: In; optional: Optional };
}

export type AnyField = Field<unknown, unknown, boolean>;
export type Fields = Readonly<Record<string, AnyField>>;

export interface Range {
  readonly from: number;
  readonly to: number;
}

type OutOf<F> = F extends Field<infer Out, unknown, boolean> ? Out : never;
type InOf<F> = F extends Field<unknown, infer In, boolean> ? In : never;
type OptionalKeys<S extends Fields> = {
  [K in keyof S]: S[K] extends Field<unknown, unknown, false> ? never : K;
}[keyof S];

export type Decoded<S extends Fields> = { -readonly [K in keyof S]: OutOf<S[K]> };
export type Encodable<S extends Fields> = {
  readonly [K in Exclude<keyof S, OptionalKeys<S>>]: InOf<S[K]>;
} & { readonly [K in OptionalKeys<S>]?: InOf<S[K]> | undefined };

interface Options<T> {
  readonly nullable?: Versions;
  readonly default?: T | null;
  readonly tag?: number;
}

type Nulled<T, O> = O extends { nullable: Versions } ? T | null : T;
type IsOptional<V, O> = V extends '0+'
  ? O extends { default: unknown } | { tag: number }
    ? true
    : false
  : true;
type Made<Out, In, V, O> = Field<Nulled<Out, O>, Nulled<In, O>, IsOptional<V, O>>;

function primitive<Out, In>(kind: Primitive, zero: unknown) {
  return <const V extends Versions = '0+', const O extends Options<Out> = Record<never, never>>(
    versions?: V,
    options?: O,
  ): Made<Out, In, V, O> => {
    const fallback = options?.default === undefined ? zero : options.default;
    return field({ kind }, versions, options, () => fallback);
  };
}

export const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

export const bool = primitive<boolean, boolean>('bool', false);
export const int8 = primitive<number, number>('int8', 0);
export const int16 = primitive<number, number>('int16', 0);
export const uint16 = primitive<number, number>('uint16', 0);
export const int32 = primitive<number, number>('int32', 0);
/** A JS number, exact up to 2^53. */
export const int64 = primitive<number, number>('int64', 0);
export const float64 = primitive<number, number>('float64', 0);
/** 36 characters, lower case. */
export const uuid = primitive<string, string>('uuid', ZERO_UUID);
export const string = primitive<string, string>('string', '');
export const bytes = primitive<Buffer, Uint8Array>('bytes', Buffer.alloc(0));
/** Bytes in several pieces, which are sent one behind the other. */
export interface Chunked {
  readonly length: number;
  readonly chunks: readonly Uint8Array[];
}
/** Record batches, never opened here: a view into the frame when decoded, referenced when encoded. */
export const records = primitive<Buffer, Uint8Array | Chunked>('records', Buffer.alloc(0));

export function array<
  const E extends AnyField | Fields,
  const V extends Versions = '0+',
  const O extends Options<never> = Record<never, never>,
>(
  element: E,
  versions?: V,
  options?: O,
): Made<
  Array<E extends AnyField ? OutOf<E> : E extends Fields ? Decoded<E> : never>,
  ReadonlyArray<E extends AnyField ? InOf<E> : E extends Fields ? Encodable<E> : never>,
  V,
  O
> {
  return field({ kind: 'array', element }, versions, options, () => (options?.default === null ? null : []));
}

/** A tagged struct: undefined when absent. */
export function struct<const S extends Fields, const V extends Versions>(
  fields: S,
  versions: V,
  options: { readonly tag: number; readonly nullable?: Versions },
): Field<Decoded<S> | undefined, Encodable<S> | undefined, true> {
  return field({ kind: 'struct', fields }, versions, options, () => undefined);
}

/** A struct in the middle of its parent; where it is nullable, an int8 in front says whether it is there. */
export function inline<
  const S extends Fields,
  const V extends Versions = '0+',
  const O extends Options<never> = Record<never, never>,
>(fields: S, versions?: V, options?: O): Made<Decoded<S>, Encodable<S>, V, O> {
  return field({ kind: 'struct', fields }, versions, options, () =>
    options?.default === null ? null : defaultsOf(fields),
  );
}

function defaultsOf(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.fallback()]));
}

function field<Out, In, Optional extends boolean>(
  shape: Shape,
  versions: Versions | undefined,
  options: Options<unknown> | undefined,
  fallback: () => unknown,
): Field<Out, In, Optional> {
  return {
    shape,
    versions: rangeOf(versions ?? '0+'),
    nullable: options?.nullable === undefined ? undefined : rangeOf(options.nullable),
    fallback,
    tag: options?.tag,
  };
}

export function rangeOf(versions: Versions): Range {
  if (versions.endsWith('+')) return { from: Number(versions.slice(0, -1)), to: Infinity };
  const [from, to] = versions.split('-');
  return { from: Number(from), to: Number(to ?? from) };
}

export function within(range: Range | undefined, version: number): boolean {
  return range !== undefined && version >= range.from && version <= range.to;
}
