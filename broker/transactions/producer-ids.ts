import type { Files } from '../host/files.ts';
import { readChecked, writeChecked } from '../log/checked-file.ts';

/**
 * Producer ids, each given once in the life of the data directory. A block is durable before its first id is
 * given, so a crash skips ids and never repeats one.
 */
export interface ProducerIds {
  /** Rejects with what the disk says when a new block cannot be stored. */
  next(): Promise<number>;
}

const BLOCK_SIZE = 1_000;
const NAME = 'producer-ids.json';

/** @throws Error when the file is damaged: giving an id twice would drop somebody's records as repeats */
export async function openProducerIds(files: Files, dataDir: string): Promise<ProducerIds> {
  const path = `${dataDir}/${NAME}`;
  const read = await readChecked(files, path);
  if (read.state === 'damaged') throw new Error(`cannot open producer ids: got damage in ${path}`);
  let next = read.state === 'good' ? (read.value as { nextBlock: number }).nextBlock : 0;
  let blockEnd = next;
  let storing: Promise<void> | undefined;
  return {
    async next() {
      while (next >= blockEnd) {
        const end = next + BLOCK_SIZE;
        storing ??= writeChecked(files, path, { nextBlock: end })
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
