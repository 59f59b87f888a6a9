import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { HANDLERS } from '../../broker/handlers/index.ts';
import { plain, revived } from './golden.ts';
import { type GoldenMessage, KINDS, MESSAGES_PATH } from './messages.ts';

const messages = JSON.parse(readFileSync(MESSAGES_PATH, 'utf8')) as GoldenMessage[];

// Kept apart: a mistake that decoder and encoder share would pass a round trip.
for (const kind of KINDS) {
  const own = messages.filter(({ message }) => message === kind.name);
  describe(`${kind.name} as Apache Kafka writes it`, () => {
    test('decodes to what it says', () => {
      for (const { version, bytes, says } of own) {
        const { value, remaining } = kind.decode(version, Buffer.from(bytes, 'base64'));
        expect(plain(value), `version ${version}`).toEqual(says);
        expect(remaining, `version ${version}`).toBe(0);
      }
    });

    test('is what we write', () => {
      for (const { version, bytes, says } of own) {
        const made = kind.encode(version, revived(says));
        expect(made.toString('hex'), `version ${version}`).toBe(Buffer.from(bytes, 'base64').toString('hex'));
      }
    });
  });
}

test('every version that is served has a message', () => {
  const known = new Set(messages.map(({ message, version }) => `${message} ${version}`));
  for (const { api, served } of HANDLERS) {
    for (let version = served[0]; version <= served[1]; version += 1) {
      expect(known).toContain(`${api.name} request ${version}`);
      expect(known).toContain(`${api.name} response ${version}`);
    }
  }
});
