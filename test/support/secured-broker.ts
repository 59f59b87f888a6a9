/** A broker whose listeners are locked, and the files that open them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { authority, certificate } from './certificates.ts';
import { startTestBroker, type TestBroker } from './test-broker.ts';

export const USER = 'ann';
export const PASSWORD = 'correct horse';
/** Of sessions on the listener RENEWING. */
export const SESSION_LIFETIME_MS = 60_000;

export interface SecuredBroker {
  readonly broker: TestBroker;
  /** The file of its name (`ca.pem`, `other-ca.pem`, `client.pem`, `client.key`, `password`, …). */
  path(name: string): string;
  /** `localhost:port` of SASL_SSL, RENEWING (the same, with sessions that end) or MUTUAL (client certificates). */
  address(listener: 'SASL_SSL' | 'RENEWING' | 'MUTUAL'): string;
  stop(): Promise<void>;
}

export async function startSecuredBroker(): Promise<SecuredBroker> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-secured-'));
  const path = (name: string): string => join(directory, name);
  const ca = authority();
  const server = certificate([['CN', 'broker']], ca);
  const client = certificate([['CN', USER]], ca);
  const files = {
    'ca.pem': ca.cert,
    'other-ca.pem': authority([['CN', 'Other CA']]).cert,
    'broker.pem': server.cert,
    'broker.key': server.key,
    'client.pem': client.cert,
    'client.key': client.key,
    password: `${PASSWORD}\n`,
  };
  await Promise.all(Object.entries(files).map(([name, content]) => writeFile(path(name), content)));
  const tls = { key: path('broker.key'), cert: path('broker.pem'), ca: path('ca.pem') };
  const mechanisms: Array<'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'> = [
    'PLAIN',
    'SCRAM-SHA-256',
    'SCRAM-SHA-512',
  ];
  const broker = await startTestBroker({
    listeners: [
      { name: 'SASL_SSL', port: 0, protocol: 'SASL_SSL', tls, sasl: { mechanisms } },
      {
        name: 'RENEWING',
        port: 0,
        protocol: 'SASL_SSL',
        tls,
        sasl: { mechanisms: ['SCRAM-SHA-256'], connectionsMaxReauthMs: SESSION_LIFETIME_MS },
      },
      { name: 'MUTUAL', port: 0, protocol: 'SSL', tls: { ...tls, clientAuth: 'required' } },
    ],
    security: {
      plainUsers: { [USER]: PASSWORD },
      scramUsers: [{ name: USER, password: PASSWORD }],
    },
  });
  return {
    broker,
    path,
    address: (listener) => `localhost:${broker.portOf(listener)}`,
    async stop() {
      await broker.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
