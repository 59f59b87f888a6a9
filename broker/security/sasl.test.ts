import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { plain, plainToken, scram } from '../../test/support/sasl-client.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE } from '../wire/errors.ts';
import { apiVersions, heartbeat, metadata, saslAuthenticate, saslHandshake } from '../wire/schemas/index.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker({
    listeners: [
      {
        name: 'SASL',
        port: 0,
        protocol: 'SASL_PLAINTEXT',
        sasl: { mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-512', 'PLAIN'] },
      },
      {
        name: 'SHORT',
        port: 0,
        protocol: 'SASL_PLAINTEXT',
        sasl: { mechanisms: ['PLAIN'], connectionsMaxReauthMs: 60 },
      },
      { name: 'OPEN', port: 0 },
    ],
    security: {
      plainUsers: { ann: 'secret', bob: 'other' },
      scramUsers: [{ name: 'sam', password: 'pencil' }],
    },
  });
});
afterAll(() => broker?.stop());

const SOFTWARE = { clientSoftwareName: 'test', clientSoftwareVersion: '1' };

async function connected<T>(run: (client: RawClient) => Promise<T>, listener = 'SASL'): Promise<T> {
  const client = await RawClient.connect(broker.portOf(listener));
  try {
    return await run(client);
  } finally {
    client.close();
  }
}

describe('who is let in', () => {
  test('PLAIN with the right password', () =>
    connected(async (client) => {
      expect(await plain(client, 'ann', 'secret')).toMatchObject({ errorCode: 0, sessionLifetimeMs: 0 });
      expect((await client.call(metadata, 5, { topics: [] })).brokers).toHaveLength(1);
    }));

  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
    test(`${mechanism} with the right password, and the broker proves that it knows it too`, () =>
      connected(async (client) => {
        const last = await scram(client, mechanism, 'sam', 'pencil');
        expect(last.errorCode).toBe(0);
        expect(last.authBytes.toString()).toMatch(/^v=[A-Za-z0-9+/]+=*$/);
        expect((await client.call(metadata, 5, { topics: [] })).brokers).toHaveLength(1);
      }));
  }

  test('SaslHandshake version 0: tokens without SaslAuthenticate around them', () =>
    connected(async (client) => {
      const { mechanisms } = await client.call(saslHandshake, 0, { mechanism: 'PLAIN' });
      expect(mechanisms).toEqual(['SCRAM-SHA-256', 'SCRAM-SHA-512', 'PLAIN']);
      client.write(framed(plainToken('ann', 'secret')));
      expect(await client.frame()).toEqual(Buffer.alloc(0));
      expect((await client.call(metadata, 5, { topics: [] })).brokers).toHaveLength(1);
    }));

  test('ApiVersions is answered before authentication, as often as asked', () =>
    connected(async (client) => {
      for (const version of [0, 3, 3]) {
        const { apiKeys } = await client.call(apiVersions, version, SOFTWARE);
        expect(apiKeys.map(({ apiKey }) => apiKey)).toContain(saslHandshake.key);
      }
      expect((await plain(client, 'ann', 'secret')).errorCode).toBe(0);
    }));
});

describe('who is not', () => {
  test('an unknown mechanism: UNSUPPORTED_SASL_MECHANISM with the enabled ones, then the connection closes', () =>
    connected(async (client) => {
      expect(await client.call(saslHandshake, 1, { mechanism: 'GSSAPI' })).toEqual({
        errorCode: CODE.UNSUPPORTED_SASL_MECHANISM,
        mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-512', 'PLAIN'],
      });
      await client.closed;
    }));

  test('PLAIN: a wrong password and an unknown user get the same answer, then the connection closes', async () => {
    const answers = await Promise.all(
      [
        ['ann', 'wrong'],
        ['eve', 'secret'],
        ['sam', 'pencil'],
      ].map(([name, password]) =>
        connected(async (client) => {
          const answer = await plain(client, name!, password!);
          await client.closed;
          return answer;
        }),
      ),
    );
    expect(new Set(answers.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(answers[0]).toMatchObject({
      errorCode: CODE.SASL_AUTHENTICATION_FAILED,
      errorMessage: 'Authentication failed: wrong name or password',
    });
  });

  test('SCRAM: a wrong password and an unknown user get the same answer, then the connection closes', async () => {
    const answers = await Promise.all(
      [
        ['sam', 'wrong'],
        ['eve', 'pencil'],
      ].map(([name, password]) =>
        connected(async (client) => {
          const answer = await scram(client, 'SCRAM-SHA-256', name!, password!);
          await client.closed;
          return answer;
        }),
      ),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toMatchObject({ errorCode: CODE.SASL_AUTHENTICATION_FAILED });
  });

  test('a wrong raw token closes the connection without an answer', () =>
    connected(async (client) => {
      await client.call(saslHandshake, 0, { mechanism: 'PLAIN' });
      client.write(framed(plainToken('ann', 'wrong')));
      await expect(client.frame()).rejects.toThrow(/closed/);
    }));

  const others = [
    ['Metadata', (client: RawClient) => client.send(metadata, 5, { topics: [] })],
    [
      'SaslAuthenticate',
      (client: RawClient) => client.send(saslAuthenticate, 1, { authBytes: Buffer.alloc(0) }),
    ],
    [
      'Heartbeat',
      (client: RawClient) => client.send(heartbeat, 0, { groupId: 'g', generationId: 0, memberId: 'm' }),
    ],
  ] as const;
  for (const [name, send] of others) {
    test(`${name} before authentication closes the connection`, () =>
      connected(async (client) => {
        send(client);
        await expect(client.frame()).rejects.toThrow(/closed/);
      }));
  }

  test('a frame of more than 64 KiB before authentication closes the connection before it is there', () =>
    connected(async (client) => {
      client.write(Buffer.from([0, 1, 0, 1]));
      await client.closed;
      expect(broker.lines.at(-1)?.message).toMatch(/length of 65537, want 10 to 65536/);
    }));

  test('for somebody else: an authorization id other than the name', () =>
    connected(async (client) => {
      await client.call(saslHandshake, 1, { mechanism: 'PLAIN' });
      const authBytes = plainToken('ann', 'secret', 'admin');
      const { errorCode } = await client.call(saslAuthenticate, 1, { authBytes });
      expect(errorCode).toBe(CODE.SASL_AUTHENTICATION_FAILED);
    }));
});

describe('afterwards', () => {
  test('SaslAuthenticate without a handshake is answered ILLEGAL_SASL_STATE', () =>
    connected(async (client) => {
      await plain(client, 'ann', 'secret');
      const { errorCode } = await client.call(saslAuthenticate, 1, { authBytes: Buffer.alloc(0) });
      expect(errorCode).toBe(CODE.ILLEGAL_SASL_STATE);
      expect((await client.call(metadata, 5, { topics: [] })).brokers).toHaveLength(1);
    }));

  test('SaslHandshake where there is no SASL is answered ILLEGAL_SASL_STATE', () =>
    connected(async (client) => {
      const { errorCode } = await client.call(saslHandshake, 1, { mechanism: 'PLAIN' });
      expect(errorCode).toBe(CODE.ILLEGAL_SASL_STATE);
      expect((await client.call(metadata, 5, { topics: [] })).brokers).toHaveLength(1);
    }, 'OPEN'));

  test('connectionsMaxReauthMs is told as the session lifetime, past which anything else closes', () =>
    connected(async (client) => {
      expect(await plain(client, 'ann', 'secret')).toMatchObject({ sessionLifetimeMs: 60 });
      for (;;) {
        const alive = await client.call(metadata, 5, { topics: [] }).catch(() => undefined);
        if (!alive) break;
      }
      expect(broker.lines.at(-1)?.message).toMatch(/past its lifetime/);
    }, 'SHORT'));

  test('authenticating again on the live connection gives it another lifetime', () =>
    connected(async (client) => {
      await plain(client, 'ann', 'secret');
      expect(await plain(client, 'ann', 'secret')).toMatchObject({ errorCode: 0, sessionLifetimeMs: 60 });
      expect((await client.call(metadata, 5, { topics: [] })).brokers).toHaveLength(1);
    }, 'SHORT'));

  test('authenticating again as somebody else fails, and the connection closes', () =>
    connected(async (client) => {
      await plain(client, 'ann', 'secret');
      const { errorCode, errorMessage } = await plain(client, 'bob', 'other');
      expect([errorCode, errorMessage]).toEqual([
        CODE.SASL_AUTHENTICATION_FAILED,
        'another principal than before on the same connection',
      ]);
      await client.closed;
    }));

  test('verdicts are counted by mechanism', () => {
    const family = broker.host.metrics
      .snapshot()
      .find(({ name }) => name === 'millrace_broker_authentications_total');
    const verdicts = family?.series.map(({ labels }) => `${labels['mechanism']} ${labels['verdict']}`);
    expect(verdicts).toEqual(
      expect.arrayContaining(['PLAIN accepted', 'PLAIN refused', 'SCRAM-SHA-256 refused']),
    );
  });
});

test('users of the settings are made once: they outlive a restart', async () => {
  await broker.restart();
  await connected(async (client) => {
    expect((await scram(client, 'SCRAM-SHA-512', 'sam', 'pencil')).errorCode).toBe(0);
  });
});

function framed(token: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(token.length);
  return Buffer.concat([length, token]);
}
