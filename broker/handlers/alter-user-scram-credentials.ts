/**
 * AlterUserScramCredentials (51), version 0: makes, replaces and deletes credentials, each user's judged alone. The
 * client sends salt and salted password, of which only the derived keys are kept. Answered when it is durable; holds
 * for authentications from then on.
 */
import {
  credentialOf,
  ITERATIONS_MAX,
  ITERATIONS_MIN,
  type ScramCredential,
  type ScramMechanism,
} from '../security/scram.ts';
import { MECHANISM_CODE, type ScramUser, TooManyCredentials } from '../security/scram-users.ts';
import type { Broker } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { RequestOf } from '../wire/codec.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { alterUserScramCredentials } from '../wire/schemas/index.ts';

type Request = RequestOf<typeof alterUserScramCredentials>;
type Problem = readonly [ErrorName, string];

export default handler({
  api: alterUserScramCredentials,
  versions: [0, 0],
  async handle(request, { broker, may }) {
    const users = new Set([...request.deletions, ...request.upsertions].map(({ name }) => name));
    if (!may('Alter', 'Cluster')) {
      return answer(users, () => ['CLUSTER_AUTHORIZATION_FAILED', 'not allowed to']);
    }
    const problems = problemsOf(request, broker);
    const failure = await apply(request, problems, broker);
    return answer(users, (user) => problems.get(user) ?? failure);
  },
});

function answer(users: ReadonlySet<string>, problemOf: (user: string) => Problem | undefined) {
  return {
    results: [...users].map((user) => {
      const problem = problemOf(user);
      return problem
        ? { user, errorCode: CODE[problem[0]], errorMessage: `cannot alter credentials: ${problem[1]}` }
        : { user, errorCode: CODE.NONE, errorMessage: null };
    }),
  };
}

/** The first problem of each user that has one. */
function problemsOf({ deletions, upsertions }: Request, { security }: Broker): Map<string, Problem> {
  const problems = new Map<string, Problem>();
  const seen = new Set<string>();
  const check = (name: string, mechanism: number, more: () => Problem | undefined): void => {
    const key = `${mechanism} ${name}`;
    const problem: Problem | undefined =
      name === ''
        ? ['UNACCEPTABLE_CREDENTIAL', 'got an empty user name']
        : mechanismOf(mechanism) === undefined
          ? ['UNSUPPORTED_SASL_MECHANISM', `got SCRAM mechanism ${mechanism}, want 1 or 2`]
          : seen.has(key)
            ? ['DUPLICATE_RESOURCE', 'got the same credential twice in one request']
            : more();
    seen.add(key);
    if (problem && !problems.has(name)) problems.set(name, problem);
  };
  for (const { name, mechanism } of deletions) {
    check(name, mechanism, () =>
      security.scramUsers.of(name)?.has(mechanismOf(mechanism)!)
        ? undefined
        : ['RESOURCE_NOT_FOUND', 'there is no such credential to delete'],
    );
  }
  for (const { name, mechanism, iterations, salt, saltedPassword } of upsertions) {
    check(name, mechanism, () => {
      if (iterations < ITERATIONS_MIN) return ['UNACCEPTABLE_CREDENTIAL', 'got too few iterations'];
      if (iterations > ITERATIONS_MAX) return ['UNACCEPTABLE_CREDENTIAL', 'got too many iterations'];
      return salt.length === 0 || saltedPassword.length === 0
        ? ['UNACCEPTABLE_CREDENTIAL', 'got an empty salt or password']
        : undefined;
    });
  }
  return problems;
}

async function apply(
  { deletions, upsertions }: Request,
  problems: ReadonlyMap<string, Problem>,
  { security, host }: Broker,
): Promise<Problem | undefined> {
  const upserts: Array<ScramUser & { credential: ScramCredential }> = [];
  for (const { name, mechanism: code, ...given } of upsertions) {
    const mechanism = mechanismOf(code);
    if (problems.has(name) || !mechanism) continue;
    upserts.push({ user: name, mechanism, credential: credentialOf(mechanism, given) });
  }
  const gone: ScramUser[] = [];
  for (const { name, mechanism: code } of deletions) {
    const mechanism = mechanismOf(code);
    if (!problems.has(name) && mechanism) gone.push({ user: name, mechanism });
  }
  if (upserts.length === 0 && gone.length === 0) return undefined;
  try {
    await security.scramUsers.change(upserts, gone);
    return undefined;
  } catch (error) {
    if (error instanceof TooManyCredentials) return ['POLICY_VIOLATION', error.message];
    host.log.error({ err: error }, 'cannot keep credentials');
    return ['KAFKA_STORAGE_ERROR', 'the disk refuses'];
  }
}

function mechanismOf(code: number): ScramMechanism | undefined {
  if (code === MECHANISM_CODE['SCRAM-SHA-256']) return 'SCRAM-SHA-256';
  return code === MECHANISM_CODE['SCRAM-SHA-512'] ? 'SCRAM-SHA-512' : undefined;
}
