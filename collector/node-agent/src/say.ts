import { writeSync } from 'node:fs';

/** One line on stderr, past the wrapped console. */
export function say(text: string): void {
  try {
    writeSync(2, `millrace agent: ${text}\n`);
  } catch {
    // stderr is closed or full: there is nobody to tell.
  }
}
