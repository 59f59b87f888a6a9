import { expect, test } from 'vitest';

import { attributeText } from './attribute-text.ts';
import type { AnyValue } from './model.ts';

// Expectations follow Go's strconv and encoding/json, which the exporter uses.
const cases: ReadonlyArray<[string, AnyValue, string]> = [
  ['nothing', null, ''],
  ['text', 'a "b" <c>', 'a "b" <c>'],
  ['true', true, 'true'],
  ['an integer', 42, '42'],
  ['a large integer', 2n ** 63n - 1n, '9223372036854775807'],
  ['a fraction', 0.1, '0.1'],
  ['a small number', 1e-7, '1e-7'],
  ['a large number', 1e21, '1e+21'],
  ['just below', 123456789012345680000, '123456789012345680000'],
  ['minus zero', -0, '-0'],
  ['not a number', NaN, 'json: unsupported value: NaN'],
  ['infinity', Infinity, 'json: unsupported value: +Inf'],
  ['bytes', Buffer.from([0xff, 0, 1]), '/wAB'],
  ['a list', ['a', 1, true, null, [2n ** 60n]], '["a",1,true,null,[1152921504606846976]]'],
  ['a map, keys sorted', { b: 1, a: { d: 'x', c: Buffer.from('y') } }, '{"a":{"c":"eQ==","d":"x"},"b":1}'],
  ['what Go escapes', ['<a>&\u2028"'], '["\\u003ca\\u003e\\u0026\\u2028\\""]'],
  ['infinity in a list', [Infinity], ''],
  ['no elements', [], '[]'],
];

test.each(cases)('%s', (_, value, text) => {
  expect(attributeText(value)).toBe(text);
});
