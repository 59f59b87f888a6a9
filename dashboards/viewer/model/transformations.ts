/** Grafana's transformations, as far as our dashboards need them; an unknown one is named in a notice. */
import type { Frame, FieldType, Transformation } from './dashboard.ts';
import { displayNameOf } from './field-config.ts';
import { reduceValues, reducerOf } from './reducers.ts';

type Transform = (frames: Frame[], options: Record<string, unknown>) => Frame[];

export function transformFrames(
  frames: Frame[],
  transformations: readonly Transformation[],
): { frames: Frame[]; notices: string[] } {
  const notices: string[] = [];
  let result = frames;
  for (const { id, disabled, options } of transformations) {
    if (disabled) continue;
    const transform = TRANSFORMS.get(id);
    if (transform) result = transform(result, options ?? {});
    else notices.push(`transformation ${id}`);
  }
  return { frames: result, notices };
}

export function knowsTransformation(id: string): boolean {
  return TRANSFORMS.has(id);
}

/** Options: excludeByName, includeByName, indexByName, renameByName, each keyed by column name. */
const organize: Transform = (frames, options) => {
  const exclude = recordOf<boolean>(options['excludeByName']);
  const include = recordOf<boolean>(options['includeByName']);
  const order = recordOf<number>(options['indexByName']);
  const rename = recordOf<string>(options['renameByName']);
  const anyIncluded = Object.values(include).some(Boolean);
  return frames.map((frame) => ({
    ...frame,
    fields: frame.fields
      .filter((field) => {
        const name = displayNameOf(field, frame);
        return !exclude[name] && (!anyIncluded || include[name]);
      })
      .map((field, index) => ({ field, index: order[displayNameOf(field, frame)] ?? 1000 + index }))
      .sort((a, b) => a.index - b.index)
      .map(({ field }) => {
        const name = displayNameOf(field, frame);
        const renamed = rename[name];
        if (!renamed || renamed === name) return field;
        return { name: renamed, type: field.type, values: field.values };
      }),
  }));
};

const sortBy: Transform = (frames, options) => {
  const [rule] = (options['sort'] as { field?: string; desc?: boolean }[] | undefined) ?? [];
  if (!rule?.field) return frames;
  return frames.map((frame) => {
    const key = frame.fields.find(
      (field) => field.name === rule.field || displayNameOf(field, frame) === rule.field,
    );
    if (!key) return frame;
    const order = key.values.map((_, index) => index);
    order.sort((a, b) => compareValues(key.values[a], key.values[b]) * (rule.desc ? -1 : 1));
    return reordered(frame, order);
  });
};

const limit: Transform = (frames, options) => {
  const count = Number(options['limitField'] ?? 10);
  return frames.map((frame) => reordered(frame, rangeOf(Math.min(count, lengthOf(frame)))));
};

const filterFieldsByName: Transform = (frames, options) => {
  const include = options['include'] as { names?: string[]; pattern?: string } | undefined;
  if (!include) return frames;
  const pattern = include.pattern ? new RegExp(include.pattern) : undefined;
  return frames.map((frame) => ({
    ...frame,
    fields: frame.fields.filter((field) => {
      const name = displayNameOf(field, frame);
      return (include.names ?? []).includes(name) || (pattern?.test(name) ?? false);
    }),
  }));
};

/** Series to rows (a row a field, a column a calculation) or, mode `reduceFields`, one row a frame. */
const reduce: Transform = (frames, options) => {
  const ids = (options['reducers'] as string[] | undefined) ?? ['max'];
  if (options['mode'] === 'reduceFields') {
    return frames.map((frame) => ({
      ...frame,
      fields: frame.fields
        .filter((field) => field.type === 'number')
        .flatMap((field) => ids.map((id) => ({ ...field, values: [reduceValues(id, field.values)] }))),
    }));
  }
  const sources = frames.flatMap((frame) =>
    frame.fields.filter((field) => field.type === 'number').map((field) => ({ field, frame })),
  );
  return [
    {
      fields: [
        {
          name: 'Field',
          type: 'string',
          values: sources.map(({ field, frame }) => displayNameOf(field, frame)),
        },
        ...ids.map((id) => ({
          name: reducerOf(id)?.name ?? id,
          type: 'number' as FieldType,
          values: sources.map(({ field }) => reduceValues(id, field.values)),
        })),
      ],
    },
  ];
};

/** Rows of all frames in one table; equal columns join, missing cells stay empty. */
const merge: Transform = (frames) => {
  if (frames.length < 2) return frames;
  const columns = new Map<string, FieldType>();
  for (const frame of frames) for (const field of frame.fields) columns.set(field.name, field.type);
  const shared = [...columns.keys()].filter((name) =>
    frames.every((frame) => frame.fields.some((field) => field.name === name)),
  );
  const rows = new Map<string, Map<string, unknown>>();
  for (const frame of frames) {
    for (const index of rangeOf(lengthOf(frame))) {
      const row = new Map(frame.fields.map((field) => [field.name, field.values[index]]));
      const key = JSON.stringify(shared.map((name) => row.get(name)));
      const known = rows.get(key);
      if (known) for (const [name, value] of row) known.set(name, value);
      else rows.set(key, row);
    }
  }
  return [
    {
      fields: [...columns].map(([name, type]) => ({
        name,
        type,
        values: [...rows.values()].map((row) => row.get(name) ?? null),
      })),
    },
  ];
};

const TRANSFORMS: ReadonlyMap<string, Transform> = new Map([
  ['organize', organize],
  ['sortBy', sortBy],
  ['reduce', reduce],
  ['limit', limit],
  ['merge', merge],
  ['filterFieldsByName', filterFieldsByName],
]);

function recordOf<T>(value: unknown): Record<string, T | undefined> {
  return Object.assign(Object.create(null) as Record<string, T>, value);
}

function lengthOf(frame: Frame): number {
  return frame.fields[0]?.values.length ?? 0;
}

function rangeOf(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

function reordered(frame: Frame, order: readonly number[]): Frame {
  return {
    ...frame,
    fields: frame.fields.map((field) => ({
      ...field,
      values: order.map((index) => field.values[index]),
      ...(field.nanos ? { nanos: order.map((index) => field.nanos?.[index] ?? 0) } : {}),
    })),
  };
}

/** Numbers by size, everything else by text; nothing comes last. */
export function compareValues(a: unknown, b: unknown): number {
  const missing = (value: unknown): boolean => value === null || value === undefined;
  if (missing(a) || missing(b)) return missing(a) === missing(b) ? 0 : missing(a) ? 1 : -1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}
