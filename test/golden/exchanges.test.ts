import { describe, expect, test } from 'vitest';

import { HANDLERS } from '../../broker/handlers/index.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  type Exchange,
  readExchanges,
} from './exchanges.ts';
import { plain } from './golden.ts';

const exchanges = readExchanges();

// Kept apart: a mistake that decoder and encoder share would pass a round trip.
for (const [api, own] of Map.groupBy(exchanges, (one) => one.api)) {
  describe(`${api} between real clients and Apache Kafka`, () => {
    test('requests decode to what they ask', () => {
      const got = named(own, (one) => {
        const { api: found, header, body, remaining } = decodeRequest(bytes(one.request));
        return { api: found.name, version: header.apiVersion, says: plain(body), remaining };
      });
      expect(got).toEqual(named(own, ({ version, asks }) => ({ api, version, says: asks, remaining: 0 })));
    });

    test('requests are what we write', () => {
      const got = named(own, (one) => hex(encodeRequest(decodeRequest(bytes(one.request)), one.asks)));
      expect(got).toEqual(named(own, ({ request }) => hex(bytes(request))));
    });

    test('responses decode to what they answer', () => {
      const got = named(own, (one) => {
        const request = decodeRequest(bytes(one.request));
        const { correlationId, body, remaining } = decodeResponse(request, bytes(one.response));
        return { isOfRequest: correlationId === request.header.correlationId, says: plain(body), remaining };
      });
      expect(got).toEqual(named(own, ({ answers }) => ({ isOfRequest: true, says: answers, remaining: 0 })));
    });

    test('responses are what we write', () => {
      const got = named(own, (one) => {
        const request = decodeRequest(bytes(one.request));
        const { version } = decodeResponse(request, bytes(one.response));
        return hex(encodeResponse(request, version, one.answers));
      });
      expect(got).toEqual(named(own, ({ response }) => hex(bytes(response))));
    });
  });
}

/** What clients ask of Apache Kafka 4.4 and we do not serve. */
const NOT_SERVED: ReadonlyArray<readonly [api: string, versions: readonly number[]]> = [];

test('every API and version that clients choose with Apache Kafka is served, but for what is named here', () => {
  const missing = new Map<string, Set<number>>();
  for (const { api, version } of exchanges) {
    const served = HANDLERS.find((one) => one.api.name === api)?.served;
    if (served && version >= served[0] && version <= served[1]) continue;
    missing.set(api, (missing.get(api) ?? new Set()).add(version));
  }
  expect([...missing].map(([api, versions]) => [api, [...versions]])).toEqual(NOT_SERVED);
});

/** Falls when a capture loses something; whoever captures more raises it. */
const APIS_OF_CLIENTS: Readonly<Record<string, number>> = {
  'franz-go': 35,
  'java-3.9': 52,
  'java-4.4': 57,
  kafka: 3,
  kafkajs: 33,
  librdkafka: 22,
  platformatic: 35,
  sarama: 23,
  tools: 35,
};

test('the APIs that each client uses are there', () => {
  const apis = new Map<string, Set<string>>();
  for (const { client, api } of exchanges) apis.set(client, (apis.get(client) ?? new Set()).add(api));
  expect(Object.fromEntries([...apis].map(([client, own]) => [client, own.size]))).toEqual(APIS_OF_CLIENTS);
});

test('every API that is served was asked for by a real client, but for telemetry', () => {
  const asked = new Set(exchanges.map(({ api }) => api));
  expect(HANDLERS.map(({ api }) => api.name).filter((api) => !asked.has(api))).toEqual(NOT_ASKED);
});

/** Kafka offers telemetry only with a plugin that takes it, of which there is none here. */
const NOT_ASKED: readonly string[] = ['GetTelemetrySubscriptions', 'PushTelemetry'];

function named<T>(own: readonly Exchange[], value: (one: Exchange) => T): Record<string, T> {
  return Object.fromEntries(own.map((one) => [`v${one.version} of ${one.client}`, value(one)]));
}

function bytes(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}

function hex(buffer: Buffer): string {
  return buffer.toString('hex');
}
