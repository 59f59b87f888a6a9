import { writeFile } from 'node:fs/promises';

import { afterEach, expect, test } from 'vitest';

import { openKafka } from '../../broker/client/kafkajs.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import type { Part } from '../../broker/host/part.ts';
import { readLogs } from '../../broker/records/otlp/read-logs.ts';
import { encodeLogs } from '../../broker/records/otlp/write-logs.ts';
import { collectorConfig } from '../../collector/config.ts';
import { start } from '../../collector/main.ts';
import { eventually } from '../support/eventually.ts';
import { type LogLine, recordingLog } from '../support/recording-log.ts';
import { PASSWORD, type SecuredBroker, startSecuredBroker, USER } from '../support/secured-broker.ts';

// The story of a broker that lets nobody in without TLS and a password: the collector writes there, also when its
// password was wrong at first, and says what is wrong once, in words that do not give the password away.

const logs = encodeLogs({ resource: { attributes: { 'service.name': 'a' } }, records: [{ body: 'line' }] });
let secured: SecuredBroker;
let collector: Part | undefined;
afterEach(async () => {
  await collector?.stop(5_000);
  await secured?.stop();
});

test('the collector waits until its password is right, then writes', async () => {
  secured = await startSecuredBroker();
  const passwordFile = secured.path('of-the-collector');
  await writeFile(passwordFile, 'battery staple');
  const kafka = {
    brokers: [secured.address('SASL_SSL')],
    tls: { ca: secured.path('ca.pem') },
    sasl: { mechanism: 'SCRAM-SHA-512' as const, username: USER, passwordFile },
  };
  const lines: LogLine[] = [];
  const host = { ...nodeHost(), log: recordingLog(lines) };
  const config = collectorConfig.parse({ otlpHttp: { host: '127.0.0.1', port: 0 }, kafka });
  collector = await start(config, host);
  const send = () =>
    fetch(`http://127.0.0.1:${collector!.addresses['otlpHttp']!.port}/v1/logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: new Uint8Array(logs),
    });

  expect((await send()).status).toBe(503);
  const warnings = lines.filter(({ level }) => level === 'warn' || level === 'error');
  expect(warnings).toHaveLength(1);
  expect(JSON.stringify(warnings)).toMatch(
    /cannot log in as .*ann.* with SCRAM-SHA-512: .*wrong name or password/,
  );

  await writeFile(passwordFile, PASSWORD);
  await eventually(async () => expect((await send()).status).toBe(200));
  const values: Buffer[] = [];
  const reading = await openKafka({ ...config.kafka, clientId: 'test' }, nodeHost());
  await reading.reader({
    topic: 'otlp_logs',
    from: 'earliest',
    async onBatch({ records }) {
      values.push(...records.map(({ value }) => value!));
    },
  });
  await eventually(() => expect(values).toHaveLength(1));
  await reading.close();
  expect(readLogs(values[0]!).map(({ body }) => body)).toEqual(['line']);
  const said = JSON.stringify(lines);
  for (const password of ['battery staple', PASSWORD]) expect(said).not.toContain(password);
});
