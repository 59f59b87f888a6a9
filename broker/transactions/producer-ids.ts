import type { Files } from '../host/files.ts';
import { readChecked, writeChecked } from '../log/durable/checked-file.ts';

/**
 * Producer ids, each given once in the life of the data directory. A block is durable before its first id is
 * given, so a crash skips ids and never repeats one.
 */
export interface ProducerIds {
  /** Rejects with what the disk says when a new block cannot be stored. */
  next(): Promise<number>;
}

const BLOCK_SIZE = 1_000;
/** Both are durable before an id is given, so either knows of every id that was. */
const COPIES = ['producer-ids.json', 'producer-ids.copy.json'];

/** @throws Error when no copy is intact though there is one: giving an id twice would drop somebody's records as repeats */
export async function openProducerIds(files: Files, dataDir: string): Promise<ProducerIds> {
  const paths = COPIES.map((name) => `${dataDir}/${name}`);
  const copies = await Promise.all(paths.map((path) => readChecked(files, path)));
  const blocks = copies.map((copy) =>
    copy.state === 'good' ? (copy.value as { nextBlock: number }).nextBlock : -1,
  );
  let next = Math.max(...blocks);
  if (next === -1 && copies.some(({ state }) => state === 'damaged')) {
    throw new Error(`cannot open producer ids: got damage in ${paths.join(' and ')}, want one intact`);
  }
  next = Math.max(next, 0);
  let blockEnd = next;
  let storing: Promise<void> | undefined;
  const store = async (nextBlock: number): Promise<void> => {
    for (const path of paths) await writeChecked(files, path, { nextBlock });
  };
  return {
    async next() {
      while (next >= blockEnd) {
        const end = next + BLOCK_SIZE;
        storing ??= store(end)
          .then(() => {
            blockEnd = end;
          })
          .finally(() => {
            storing = undefined;
          });
        await storing;
      }
      return next++;
    },
  };
}
