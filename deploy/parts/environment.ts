/** What a part's process must be given at its start, because Node reads it only then. */
import { storeEnvironment } from '../../sinks/store/environment.ts';
import type { PartName } from './names.ts';

/** Environment variables. */
export function partEnvironment(name: PartName): Readonly<Record<string, string>> {
  return name === 'store' ? storeEnvironment() : {};
}

/** Arguments of node itself. A bound on each heap keeps a leak in one part from taking the machine. */
export function nodeArguments(_name: PartName): string[] {
  return ['--max-old-space-size=1024'];
}
