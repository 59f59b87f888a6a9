/**
 * Decides by access rules, as Apache Kafka's StandardAuthorizer: super users may everything; a rule that denies wins
 * over any that allows; what no rule allows is denied, unless no rule is about the resource at all and
 * `allowEveryoneIfNoAclFound` is set. To allow Read, Write, Delete or Alter is to allow Describe, and AlterConfigs
 * DescribeConfigs; denying implies nothing.
 */
import { type Acl, ANYBODY, PATTERN, PERMISSION, WILDCARD } from './acl.ts';
import type { Acls } from './acls.ts';
import { type Access, type Authorizer, OPERATION, type Operation, RESOURCE_TYPE } from './authorizer.ts';

export interface AclAuthorizerSettings {
  /** `User:name`, also `User:ANONYMOUS`. */
  readonly superUsers: ReadonlySet<string>;
  readonly allowEveryoneIfNoAclFound: boolean;
}

const IMPLYING: Readonly<Partial<Record<Operation, readonly number[]>>> = {
  Describe: [OPERATION.Read, OPERATION.Write, OPERATION.Delete, OPERATION.Alter],
  DescribeConfigs: [OPERATION.AlterConfigs],
};

/** A name that no resource has, to ask what would hold for one that no rule names. */
const NO_RESOURCE = '\0';

export function aclAuthorizer(acls: Acls, settings: AclAuthorizerSettings): Authorizer {
  const allows = ({ principal, clientHost, operation, resourceType, name }: Access): boolean => {
    if (settings.superUsers.has(principal)) return true;
    const host = canonicalHost(clientHost);
    let isNamed = false;
    let isAllowed = false;
    for (const acl of acls.of(RESOURCE_TYPE[resourceType], name)) {
      isNamed = true;
      if (!isAbout(acl, principal, host)) continue;
      if (acl.permissionType === PERMISSION.deny && denies(acl, operation)) return false;
      if (acl.permissionType === PERMISSION.allow && grants(acl, operation)) isAllowed = true;
    }
    return isAllowed || (!isNamed && settings.allowEveryoneIfNoAclFound);
  };

  return {
    allows,
    allowsSome({ principal, clientHost, operation, resourceType }) {
      const host = canonicalHost(clientHost);
      const mine = acls.ofType(RESOURCE_TYPE[resourceType]).filter((acl) => isAbout(acl, principal, host));
      const denied = mine.filter((acl) => acl.permissionType === PERMISSION.deny && denies(acl, operation));
      const isFree = (acl: Acl): boolean => !denied.some((denial) => covers(denial, acl));
      const granted = mine.some(
        (acl) => acl.permissionType === PERMISSION.allow && grants(acl, operation) && isFree(acl),
      );
      return granted || allows({ principal, clientHost, operation, resourceType, name: NO_RESOURCE });
    },
  };
}

function isAbout({ principal, host }: Acl, who: string, from: string): boolean {
  return (principal === who || principal === ANYBODY) && (host === WILDCARD || canonicalHost(host) === from);
}

function denies({ operation }: Acl, asked: Operation): boolean {
  return operation === OPERATION.All || operation === OPERATION[asked];
}

function grants(acl: Acl, asked: Operation): boolean {
  return denies(acl, asked) || (IMPLYING[asked]?.includes(acl.operation) ?? false);
}

/** Whether every resource that the rule is about is denied. */
function covers(denial: Acl, { patternType, resourceName }: Acl): boolean {
  if (denial.patternType === PATTERN.prefixed) {
    const isEverything = patternType === PATTERN.literal && resourceName === WILDCARD;
    return !isEverything && resourceName.startsWith(denial.resourceName);
  }
  if (denial.resourceName === WILDCARD) return true;
  return patternType === PATTERN.literal && resourceName === denial.resourceName;
}

const MAPPED_IPV4 = /^(?:::|0:0:0:0:0:)ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** One way to write an address: Java writes `0:0:0:0:0:0:0:1`, and IPv4 comes in by IPv6 sockets too. */
export function canonicalHost(host: string): string {
  if (!host.includes(':')) return host;
  const mapped = MAPPED_IPV4.exec(host);
  if (mapped) return mapped[1]!;
  const [head, tail] = host.toLowerCase().split('::') as [string, string?];
  const groupsOf = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const missing = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: missing }, () => '0'), ...after];
  return groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':');
}
