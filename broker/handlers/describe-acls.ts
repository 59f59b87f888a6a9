/** DescribeAcls (29), versions 1 to 3: access rules by a filter, gathered by resource. v1 knows patterns, v3 users. */
import { type Acl, filterProblem, matches } from '../security/acl.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { describeAcls } from '../wire/schemas/index.ts';

type Resource = AnswerOf<typeof describeAcls>['resources'][number];

export default handler({
  api: describeAcls,
  versions: [1, 3],
  handle(request, { broker, may }) {
    const refuse = (errorCode: number, errorMessage: string) => ({ errorCode, errorMessage, resources: [] });
    const { acls } = broker.security;
    if (!may('Describe', 'Cluster')) {
      return refuse(CODE.CLUSTER_AUTHORIZATION_FAILED, 'cannot describe access rules: not allowed to');
    }
    if (!acls) return refuse(CODE.SECURITY_DISABLED, 'No Authorizer is configured.');
    const filter = {
      resourceType: request.resourceTypeFilter,
      resourceName: request.resourceNameFilter,
      patternType: request.patternTypeFilter,
      principal: request.principalFilter,
      host: request.hostFilter,
      operation: request.operation,
      permissionType: request.permissionType,
    };
    const problem = filterProblem(filter);
    if (problem !== undefined) return refuse(CODE.INVALID_REQUEST, problem);
    const found = acls.all.filter((acl) => matches(filter, acl));
    return { errorCode: CODE.NONE, errorMessage: null, resources: byResource(found) };
  },
});

function byResource(found: readonly Acl[]): Resource[] {
  const resources = new Map<string, { resource: Resource; acls: Array<Resource['acls'][number]> }>();
  for (const { resourceType, resourceName, patternType, ...rule } of found) {
    const key = `${resourceType} ${patternType} ${resourceName}`;
    const known = resources.get(key);
    if (known) {
      known.acls.push(rule);
      continue;
    }
    const acls = [rule];
    resources.set(key, { resource: { resourceType, resourceName, patternType, acls }, acls });
  }
  return [...resources.values()].map(({ resource }) => resource);
}
