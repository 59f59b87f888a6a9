import { expect, test } from 'vitest';

import { HANDLERS } from '../../broker/handlers/index.ts';
import type { ResponseOf } from '../../broker/wire/codec.ts';
import type { apiVersions } from '../../broker/wire/schemas/index.ts';
import { readExchanges } from './exchanges.ts';

type Versions = readonly [min: number, max: number];

const answers = readExchanges()
  .filter(({ api, version, client }) => api === 'ApiVersions' && version === 5 && client === 'franz-go')
  .map((one) => one.answers as ResponseOf<typeof apiVersions>);
const kafka = new Map(
  answers[0]!.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, [minVersion, maxVersion]]),
);
const ours = new Map<number, Versions>(HANDLERS.map(({ api, advertised }) => [api.key, advertised]));

/** Old versions that Kafka 4 gave up and we still serve. */
const OLDER = new Map<number, Versions>([
  [2, [0, 11]],
  [19, [0, 7]],
  [20, [0, 6]],
  [32, [0, 4]],
]);
/** Delegation tokens; what only brokers and controllers of a larger cluster ask; groups of Kafka Streams. */
const NOT_HERE = [38, 39, 40, 41, 64, 80, 81, 83, 84, 85, 86, 87, 88, 89, 93, 94];
/** Telemetry, which Kafka offers only with a plugin that takes it. */
const ONLY_HERE = [71, 72];

test('every API that Apache Kafka 4.4 offers has the same versions here, but for what is named', () => {
  const want = [...kafka]
    .filter(([key]) => !NOT_HERE.includes(key))
    .map(([key, versions]) => [key, versions]);
  const got = want.map(([key]) => [key, ours.get(key as number)]);
  expect(got).toEqual(want.map(([key, versions]) => [key, OLDER.get(key as number) ?? versions]));
});

test('nothing is offered that Apache Kafka 4.4 does not offer, but for telemetry', () => {
  expect([...ours.keys()].filter((key) => !kafka.has(key))).toEqual(ONLY_HERE);
  expect(NOT_HERE.filter((key) => ours.has(key) || !kafka.has(key))).toEqual([]);
});
