import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { requestFrame } from '../../broker/wire/frame.ts';
import { decodeRequest, GOLDEN_PATH, type GoldenRequest, plain, revived } from './golden.ts';

const requests = JSON.parse(readFileSync(GOLDEN_PATH, 'utf8')) as GoldenRequest[];

// Kept apart: a mistake that decoder and encoder share would pass a round trip.
describe('requests captured from real clients', () => {
  for (const { client, key, version, bytes, says } of requests) {
    const frame = Buffer.from(bytes, 'base64');
    const { api, header } = decodeRequest(frame);

    test(`${api.name} v${version} of ${client} decodes to what it says`, () => {
      const { body, remaining } = decodeRequest(frame);
      expect(header).toMatchObject({ apiKey: key, apiVersion: version });
      expect(plain(body)).toEqual(says);
      expect(remaining).toBe(0);
    });

    test(`${api.name} v${version} of ${client} encodes to its bytes`, () => {
      const { correlationId, clientId } = header;
      const made = Buffer.concat(
        requestFrame(api, { version, correlationId, clientId }, revived(says) as never),
      );
      expect(made.subarray(4).toString('hex')).toBe(frame.toString('hex'));
    });
  }

  test('cover every API that these clients use', () => {
    expect(new Set(requests.map(({ key }) => key)).size).toBeGreaterThanOrEqual(18);
  });
});
