/** One access rule, as Kafka's AclBinding: who may, or may not, do what to which resources, from where. */
import { CLUSTER_NAME, OPERATION, RESOURCE_TYPE } from './authorizer.ts';

/** Kafka's codes, as they travel and as they are stored. */
export interface Acl {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly patternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}

/** As DescribeAcls and DeleteAcls ask: null and the code of "any" match everything. */
export interface AclFilter {
  readonly resourceType: number;
  readonly resourceName: string | null;
  readonly patternType: number;
  readonly principal: string | null;
  readonly host: string | null;
  readonly operation: number;
  readonly permissionType: number;
}

const ANY = 1;
export const PATTERN = { any: ANY, match: 2, literal: 3, prefixed: 4 } as const;
export const PERMISSION = { any: ANY, deny: 2, allow: 3 } as const;
/** As a resource's name and as a host. */
export const WILDCARD = '*';
/** Every user. */
export const ANYBODY = 'User:*';

/** Why there cannot be this rule; undefined when there can. */
export function aclProblem(acl: Acl): string | undefined {
  const { resourceType, resourceName, patternType, principal, operation, permissionType } = acl;
  if (resourceType <= ANY || resourceType > RESOURCE_TYPE.User) {
    return `cannot create an access rule: got resource type ${resourceType}`;
  }
  if (patternType !== PATTERN.literal && patternType !== PATTERN.prefixed) {
    return `cannot create an access rule: got pattern type ${patternType}, want literal or prefixed`;
  }
  if (operation <= ANY || operation > OPERATION.TwoPhaseCommit) {
    return `cannot create an access rule: got operation ${operation}`;
  }
  if (permissionType !== PERMISSION.deny && permissionType !== PERMISSION.allow) {
    return `cannot create an access rule: got permission type ${permissionType}, want allow or deny`;
  }
  if (resourceName === '') return 'cannot create an access rule: got an empty resource name';
  if (resourceType === RESOURCE_TYPE.Cluster && resourceName !== CLUSTER_NAME) {
    return `cannot create an access rule: got a cluster of another name than ${CLUSTER_NAME}`;
  }
  if (!/^[^:]+:./.test(principal)) {
    return 'cannot create an access rule: got a principal of another form than User:name';
  }
  return undefined;
}

/** Why nothing can be asked with this filter; undefined when it can. */
export function filterProblem(filter: AclFilter): string | undefined {
  const { resourceType, patternType, operation, permissionType } = filter;
  const isKnown =
    resourceType >= ANY &&
    resourceType <= RESOURCE_TYPE.User &&
    patternType >= ANY &&
    patternType <= PATTERN.prefixed &&
    operation >= ANY &&
    operation <= OPERATION.TwoPhaseCommit &&
    permissionType >= ANY &&
    permissionType <= PERMISSION.allow;
  return isKnown ? undefined : 'cannot look for access rules: got a filter with unknown elements';
}

export function matches(filter: AclFilter, acl: Acl): boolean {
  return (
    isIn(filter.resourceType, acl.resourceType) &&
    matchesName(filter, acl) &&
    (filter.principal === null || filter.principal === acl.principal) &&
    (filter.host === null || filter.host === acl.host) &&
    isIn(filter.operation, acl.operation) &&
    isIn(filter.permissionType, acl.permissionType)
  );
}

function isIn(asked: number, actual: number): boolean {
  return asked === ANY || asked === actual;
}

/** `match` finds what applies to a resource of that name, the other pattern types rules that say just that. */
function matchesName({ resourceName, patternType }: AclFilter, acl: Acl): boolean {
  if (patternType === PATTERN.literal || patternType === PATTERN.prefixed) {
    return patternType === acl.patternType && (resourceName === null || resourceName === acl.resourceName);
  }
  if (resourceName === null) return true;
  if (patternType === PATTERN.any) return resourceName === acl.resourceName;
  return appliesTo(acl, resourceName);
}

export function appliesTo({ patternType, resourceName }: Acl, name: string): boolean {
  if (patternType === PATTERN.prefixed) return name.startsWith(resourceName);
  return resourceName === WILDCARD || resourceName === name;
}

/** Two rules that say the same are one. */
export function keyOf(acl: Acl): string {
  const { resourceType, resourceName, patternType, principal, host, operation, permissionType } = acl;
  return JSON.stringify([
    resourceType,
    resourceName,
    patternType,
    principal,
    host,
    operation,
    permissionType,
  ]);
}
