import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { arbitraryMessage } from '../../test/support/arbitrary-message.ts';
import { type Api, message } from './codec.ts';
import { Reader } from './reader.ts';
import { array, int16, int32, int64, records, string, struct, uuid } from './schema.ts';
import * as schemas from './schemas/index.ts';
import { WireError } from './wire-error.ts';
import { Writer } from './writer.ts';

const apis = Object.values(schemas) as unknown as Api[];
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);

test('bytes in pieces are written as they would be in one', () => {
  const codec = message({ records: records('0+', { nullable: '0+' }), after: int16() }, 1);
  const chunks = [Buffer.alloc(10, 1), Buffer.alloc(5_000, 2), Buffer.alloc(3, 3)];
  for (const version of [0, 1]) {
    for (const pieces of [[], chunks.slice(0, 1), chunks]) {
      const whole = Buffer.concat(pieces);
      const given = [whole, { length: whole.length, chunks: pieces }].map((one) => {
        const writer = new Writer();
        codec.encode(writer, version, { records: one, after: 7 });
        return writer.toBuffer().toString('hex');
      });
      expect(given[1]).toBe(given[0]);
    }
  }
});

describe('every message of every version', () => {
  for (const api of apis) {
    test(`${api.name} decodes to what was encoded, and every strict prefix is refused`, () => {
      for (let version = api.versions[0]; version <= api.versions[1]; version += 1) {
        for (const side of ['request', 'response'] as const) {
          const codec = api[side];
          fc.assert(
            fc.property(arbitraryMessage(api.fields[side], version), fc.nat(), (value, cut) => {
              const writer = new Writer();
              codec.encode(writer, version, value as never);
              const bytes = writer.toBuffer();
              const reader = new Reader(bytes);
              expect(codec.decode(reader, version)).toEqual(value);
              expect(reader.remaining).toBe(0);
              // An empty message has no strict prefix.
              const prefix = bytes.subarray(0, bytes.length === 0 ? 0 : cut % bytes.length);
              expect(failureOf(() => codec.decode(new Reader(prefix), version))).toBe(
                bytes.length === 0 ? 'none' : 'WireError',
              );
            }),
            { seed, numRuns: 15 },
          );
        }
      }
    });
  }

  test('random and mutated bytes either decode or are refused with a WireError, and quickly', () => {
    fc.assert(
      fc.property(fc.constantFrom(...apis), fc.nat(), fc.uint8Array({ maxLength: 300 }), (api, at, bytes) => {
        const span = api.versions[1] - api.versions[0] + 1;
        const version = api.versions[0] + (at % span);
        for (const codec of [api.request, api.response]) {
          expect(failureOf(() => codec.decode(new Reader(Buffer.from(bytes)), version))).toBeOneOf([
            'none',
            'WireError',
          ]);
        }
      }),
      { seed, numRuns: 3000 },
    );
  });
});

describe('bytes on the wire', () => {
  const sample = message(
    {
      name: string('0+', { nullable: '1+' }),
      ids: array(int32()),
      added: int16('1+', { default: -1 }),
      leader: struct({ id: int32(), epoch: int64() }, '2+', { tag: 1 }),
      topicId: uuid('2+', { tag: 0 }),
    },
    2,
  );
  const cases = [
    { what: 'classic', version: 0, value: { name: 'ab', ids: [1] }, hex: '0002 6162 00000001 00000001' },
    { what: 'classic null', version: 1, value: { name: null, ids: [] }, hex: 'ffff 00000000 ffff' },
    {
      what: 'flexible: lengths plus one, no tags',
      version: 2,
      value: { name: 'ab', ids: [1], added: 7 },
      hex: '03 6162 02 00000001 0007 00',
    },
    {
      what: 'flexible: tags in ascending order whatever the order of the fields',
      version: 2,
      value: {
        name: null,
        ids: [],
        topicId: '00112233-4455-6677-8899-aabbccddeeff',
        leader: { id: 5, epoch: -2 },
      },
      hex: '00 01 ffff 02 00 10 00112233445566778899aabbccddeeff 01 0d 00000005 fffffffffffffffe 00',
    },
  ];
  for (const { what, version, value, hex } of cases) {
    test(`encodes ${what}`, () => {
      const writer = new Writer();
      sample.encode(writer, version, value);
      expect(writer.toBuffer().toString('hex')).toBe(hex.replaceAll(' ', ''));
    });
    test(`decodes ${what}`, () => {
      const got = sample.decode(new Reader(Buffer.from(hex.replaceAll(' ', ''), 'hex')), version);
      expect(got).toMatchObject(value);
    });
  }

  test('unknown tagged fields are skipped', () => {
    const bytes = Buffer.from('00 01 ffff 01 63 03 010203'.replaceAll(' ', ''), 'hex');
    const reader = new Reader(bytes);
    expect(sample.decode(reader, 2).leader).toBeUndefined();
    expect(reader.remaining).toBe(0);
  });

  test('int64 infinity saturates', () => {
    const one = message({ at: int64() }, Infinity);
    expect(one.decode(new Reader(Buffer.from('7fffffffffffffff', 'hex')), 0).at).toBe(
      Number.MAX_SAFE_INTEGER,
    );
  });

  const refused = [
    { what: 'a null where none may stand', version: 0, hex: 'ffff 00000000' },
    { what: 'a string length below -1', version: 1, hex: 'fffe 00000000 0000' },
    { what: 'an array longer than the rest of the frame', version: 0, hex: '0000 7fffffff' },
    { what: 'an array count below -1', version: 0, hex: '0000 80000000' },
    { what: 'a varint of more than 32 bits', version: 2, hex: 'ffffffffff7f' },
    { what: 'a tag of another size than said', version: 2, hex: '00 01 ffff 01 00 05 0011223344' },
  ];
  for (const { what, version, hex } of refused) {
    test(`refuses ${what}`, () => {
      const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
      expect(() => sample.decode(new Reader(bytes), version)).toThrow(WireError);
    });
  }

  test('a message of a million empty strings and one is refused before it becomes objects', () => {
    const strings = message({ all: array(string()) }, 0);
    const writer = new Writer();
    writer.uvarint(1_000_002);
    writer.bytes(Buffer.alloc(1_000_002, 1));
    expect(() => strings.decode(new Reader(writer.toBuffer()), 0)).toThrow(WireError);
  });
});

function failureOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    return error instanceof WireError ? 'WireError' : String(error);
  }
}
