/**
 * DeleteAcls (31), versions 1 to 3: access rules by filters; the answer names what each of them found. v1 knows
 * patterns, v3 users.
 */
import { type Acl, filterProblem } from '../security/acl.ts';
import { handler } from '../server/handler.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { deleteAcls } from '../wire/schemas/index.ts';

export default handler({
  api: deleteAcls,
  versions: [1, 3],
  async handle({ filters }, { broker, may }) {
    const refuseAll = (name: ErrorName, errorMessage: string) => ({
      filterResults: filters.map(() => ({ errorCode: CODE[name], errorMessage, matchingAcls: [] })),
    });
    const { acls } = broker.security;
    if (!may('Alter', 'Cluster')) {
      return refuseAll('CLUSTER_AUTHORIZATION_FAILED', 'cannot delete access rules: not allowed to');
    }
    if (!acls) return refuseAll('SECURITY_DISABLED', 'No Authorizer is configured.');
    const asked = filters.map((one) => ({
      resourceType: one.resourceTypeFilter,
      resourceName: one.resourceNameFilter,
      patternType: one.patternTypeFilter,
      principal: one.principalFilter,
      host: one.hostFilter,
      operation: one.operation,
      permissionType: one.permissionType,
    }));
    const problems = asked.map(filterProblem);
    let found: Acl[][];
    try {
      found = await acls.delete(asked.filter((_filter, index) => problems[index] === undefined));
    } catch (error) {
      broker.host.log.error({ err: error }, 'cannot delete access rules');
      return refuseAll('KAFKA_STORAGE_ERROR', 'cannot delete access rules: the disk refuses');
    }
    let next = 0;
    return {
      filterResults: problems.map((problem) =>
        problem === undefined
          ? { errorCode: CODE.NONE, errorMessage: null, matchingAcls: found[next++]!.map(answered) }
          : { errorCode: CODE.INVALID_REQUEST, errorMessage: problem, matchingAcls: [] },
      ),
    };
  },
});

function answered(acl: Acl) {
  return { errorCode: CODE.NONE, errorMessage: null, ...acl };
}
