import { randomBytes } from 'node:crypto';

/** A line of random letters, so that no compression anywhere can flatter. */
export function recordText(bytes: number): string {
  return randomBytes(bytes).toString('base64').slice(0, bytes);
}
