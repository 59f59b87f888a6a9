import { cpus } from 'node:os';

/** What figures depend on, for those who read them elsewhere. */
export function machine(): object {
  const processors = cpus();
  return {
    at: new Date().toISOString(),
    node: process.version,
    processors: processors.length,
    model: processors[0]?.model ?? 'unknown',
  };
}
