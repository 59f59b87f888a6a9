import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type DenialWorld, startDenialWorld } from '../../test/support/denials/world.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { scram } from '../../test/support/sasl-client.ts';
import { CODE } from '../wire/errors.ts';
import * as api from '../wire/schemas/index.ts';
import { saltPassword } from './scram.ts';

let world: DenialWorld;
beforeAll(async () => {
  world = await startDenialWorld();
});
afterAll(async () => {
  await world?.stop();
});

describe('SCRAM credentials over the wire', () => {
  const salt = Buffer.from('0123456789abcdef');
  const upsertion = (name: string, more: object = {}) => ({
    name,
    mechanism: 1,
    iterations: 4096,
    salt,
    saltedPassword: saltPassword('SCRAM-SHA-256', 'pencil', salt, 4096),
    ...more,
  });
  const alter = async (
    upsertions: Array<ReturnType<typeof upsertion>>,
    deletions: Array<{ name: string; mechanism: number }> = [],
  ) => (await world.admin.call(api.alterUserScramCredentials, 0, { upsertions, deletions })).results;
  const login = async (password: string): Promise<number> => {
    const client = await RawClient.connect(world.broker.portOf('SASL'));
    const { errorCode } = await scram(client, 'SCRAM-SHA-256', 'sue', password);
    client.close();
    return errorCode;
  };

  test('made, used, described without keys, kept over a restart, replaced and deleted', async () => {
    expect(await alter([upsertion('sue')])).toMatchObject([{ user: 'sue', errorCode: 0 }]);
    expect(await login('pencil')).toBe(0);
    await world.restart();
    expect(await login('pencil')).toBe(0);
    const { results } = await world.admin.call(api.describeUserScramCredentials, 0, { users: null });
    expect(results).toMatchObject([
      { user: 'sue', errorCode: 0, credentialInfos: [{ mechanism: 1, iterations: 4096 }] },
    ]);
    const saltedPassword = saltPassword('SCRAM-SHA-256', 'pen', salt, 8192);
    await alter([upsertion('sue', { iterations: 8192, saltedPassword })]);
    expect([await login('pencil'), await login('pen')]).toEqual([CODE.SASL_AUTHENTICATION_FAILED, 0]);
    await alter([], [{ name: 'sue', mechanism: 1 }]);
    expect(await login('pen')).toBe(CODE.SASL_AUTHENTICATION_FAILED);
  });

  const refused: Array<[name: string, run: () => ReturnType<typeof alter>, want: keyof typeof CODE]> = [
    ['too few iterations', () => alter([upsertion('x', { iterations: 4095 })]), 'UNACCEPTABLE_CREDENTIAL'],
    ['too many iterations', () => alter([upsertion('x', { iterations: 16_385 })]), 'UNACCEPTABLE_CREDENTIAL'],
    ['an empty name', () => alter([upsertion('')]), 'UNACCEPTABLE_CREDENTIAL'],
    ['an unknown mechanism', () => alter([upsertion('x', { mechanism: 3 })]), 'UNSUPPORTED_SASL_MECHANISM'],
    ['one credential twice', () => alter([upsertion('x'), upsertion('x')]), 'DUPLICATE_RESOURCE'],
    ['deleting what there is not', () => alter([], [{ name: 'x', mechanism: 2 }]), 'RESOURCE_NOT_FOUND'],
  ];
  for (const [name, run, want] of refused) {
    test(`${name}: ${want}`, async () => {
      expect((await run()).map(({ errorCode }) => errorCode)).toEqual([CODE[want]]);
    });
  }

  test('describing who is not there, and somebody twice', async () => {
    const users = ['x', 'y', 'y'].map((name) => ({ name }));
    const { results } = await world.admin.call(api.describeUserScramCredentials, 0, { users });
    expect(results.map(({ user, errorCode }) => [user, errorCode])).toEqual([
      ['x', CODE.RESOURCE_NOT_FOUND],
      ['y', CODE.DUPLICATE_RESOURCE],
    ]);
  });
});
