import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Test material that lies beside the checkout (`../shared`), not in it. Undefined where it is absent: such
 * tests skip and say so.
 */
export function sharedPath(name: string): string | undefined {
  const path = fileURLToPath(new URL(`../../../shared/${name}`, import.meta.url));
  if (existsSync(path)) return path;
  console.warn(`skipped: ../shared/${name} is not beside this checkout`);
  return undefined;
}
