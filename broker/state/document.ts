import type { z } from 'zod';

import type { Files } from '../host/files.ts';
import { readChecked, writeChecked } from '../log/durable/checked-file.ts';
import { Turns } from '../log/turns.ts';

/**
 * What an administrator has set (credentials, access rules, quotas, settings): one small value in one checked file,
 * replaced as a whole. Durable first, true in memory after; changes come one after the other.
 */
export interface Document<T> {
  readonly value: T;
  /** Resolves to what holds now, once it is durable; rejects with what `change` throws or the disk says. */
  update(change: (now: T) => T): Promise<T>;
}

/** @throws Error when the file is damaged or says what this version does not know: nothing is guessed */
export async function openDocument<T>(
  files: Files,
  path: string,
  { schema, empty }: { readonly schema: z.ZodType<T>; readonly empty: T },
): Promise<Document<T>> {
  const read = await readChecked(files, path);
  if (read.state === 'damaged') throw new Error(`cannot open ${path}: got a damaged file, want it restored`);
  const parsed = read.state === 'good' ? schema.safeParse(read.value) : undefined;
  if (parsed?.error) throw new Error(`cannot open ${path}: got ${parsed.error.message}`);
  let value = parsed ? parsed.data! : empty;
  const turns = new Turns();
  return {
    get value() {
      return value;
    },
    update(change) {
      return turns.inTurn(async () => {
        const next = change(value);
        if (next !== value) await writeChecked(files, path, next);
        value = next;
        return next;
      });
    },
  };
}
