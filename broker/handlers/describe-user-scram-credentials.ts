/**
 * DescribeUserScramCredentials (50), version 0: which mechanisms a user has, with how many iterations; never a key.
 * Null and an empty list ask for all users.
 */
import { MECHANISM_CODE } from '../security/scram-users.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { describeUserScramCredentials } from '../wire/schemas/index.ts';

type Result = AnswerOf<typeof describeUserScramCredentials>['results'][number];

export default handler({
  api: describeUserScramCredentials,
  versions: [0, 0],
  handle({ users }, { broker, may }) {
    if (!may('Describe', 'Cluster')) {
      const errorMessage = 'cannot describe credentials: not allowed to';
      return { errorCode: CODE.CLUSTER_AUTHORIZATION_FAILED, errorMessage, results: [] };
    }
    const asked = users?.map(({ name }) => name) ?? [];
    const names = new Set(asked.length === 0 ? broker.security.scramUsers.names : asked);
    return {
      errorCode: CODE.NONE,
      errorMessage: null,
      results: [...names].map((name) =>
        asked.filter((one) => one === name).length > 1
          ? refused(name, CODE.DUPLICATE_RESOURCE, 'got the same user twice in one request')
          : describe(name, broker),
      ),
    };
  },
});

function describe(user: string, { security }: RequestContext['broker']): Result {
  const credentials = security.scramUsers.of(user);
  if (!credentials) return refused(user, CODE.RESOURCE_NOT_FOUND, 'there is no credential of this user');
  return {
    user,
    errorCode: CODE.NONE,
    errorMessage: null,
    credentialInfos: [...credentials].map(([mechanism, { iterations }]) => ({
      mechanism: MECHANISM_CODE[mechanism],
      iterations,
    })),
  };
}

function refused(user: string, errorCode: number, why: string): Result {
  return { user, errorCode, errorMessage: `cannot describe credentials: ${why}`, credentialInfos: [] };
}
