/**
 * What loading and opening left behind is given back to the system before the part does anything else: V8 lets the space
 * for new objects grow while modules are loaded, 16 MiB, and a quiet part would keep it for good. Takes some 50 ms.
 * Without `--expose-gc` (deploy/parts/environment.ts) nothing happens.
 */
export function collectStartGarbage(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
