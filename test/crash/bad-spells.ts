import type { SimFiles } from '../sim/sim-files.ts';
import type { SimRandom } from '../sim/sim-random.ts';

/** Bad spells: for some operations in a row the disk fails in one way. */
export function badSpells(random: SimRandom, files: SimFiles): SimFiles['fault'] {
  let until = 0;
  let kind: 'full' | 'write' | 'sync' | 'short' = 'short';
  let spells = 0;
  return (operation) => {
    if (files.operations >= until) {
      if (spells > 3 || !random.chance(0.01)) return undefined;
      spells += 1;
      until = files.operations + 1 + random.below(12);
      kind = random.pick(['full', 'write', 'sync', 'short'] as const);
    }
    if (kind === 'sync') return operation === 'datasync' ? { code: 'EIO' } : undefined;
    if (operation !== 'write') return undefined;
    if (kind === 'short') return { shortBytes: 1 + random.below(100) };
    return { code: kind === 'full' ? 'ENOSPC' : 'EIO' };
  };
}
