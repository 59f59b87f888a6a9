/**
 * CreateAcls (30), versions 1 to 3: access rules, each judged alone; one that there is already is no error. v1 knows
 * patterns, v3 users.
 */
import { type Acl, aclProblem } from '../security/acl.ts';
import { TooManyAcls } from '../security/acls.ts';
import { handler } from '../server/handler.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { createAcls } from '../wire/schemas/index.ts';

export default handler({
  api: createAcls,
  versions: [1, 3],
  async handle({ creations }, { broker, may }) {
    const refuseAll = (name: ErrorName, errorMessage: string) => ({
      results: creations.map(() => ({ errorCode: CODE[name], errorMessage })),
    });
    const { acls } = broker.security;
    if (!may('Alter', 'Cluster')) {
      return refuseAll('CLUSTER_AUTHORIZATION_FAILED', 'cannot create access rules: not allowed to');
    }
    if (!acls) return refuseAll('SECURITY_DISABLED', 'No Authorizer is configured.');
    const wanted = creations.map(({ resourcePatternType, ...rule }): Acl => ({
      ...rule,
      patternType: resourcePatternType,
    }));
    const problems = wanted.map(aclProblem);
    try {
      await acls.create(wanted.filter((_acl, index) => problems[index] === undefined));
    } catch (error) {
      if (error instanceof TooManyAcls) return refuseAll('POLICY_VIOLATION', error.message);
      broker.host.log.error({ err: error }, 'cannot keep access rules');
      return refuseAll('KAFKA_STORAGE_ERROR', 'cannot keep access rules: the disk refuses');
    }
    return {
      results: problems.map((problem) =>
        problem === undefined
          ? { errorCode: CODE.NONE, errorMessage: null }
          : { errorCode: CODE.INVALID_REQUEST, errorMessage: problem },
      ),
    };
  },
});
