/** Whom a quota is for (a user, a client id, both, or an address; null is the default of its kind), and what it bounds. */
export type EntityType = 'user' | 'client-id' | 'ip';
export type Entity = Readonly<Partial<Record<EntityType, string | null>>>;

export type QuotaKey =
  | 'producer_byte_rate'
  | 'consumer_byte_rate'
  | 'request_percentage'
  | 'controller_mutation_rate';

/** Without a value: removed. */
export interface QuotaChange {
  readonly key: string;
  readonly value: number | undefined;
}

export interface EntityFilter {
  readonly type: EntityType;
  /** A name; null for the default; undefined for any, the default too. */
  readonly name: string | null | undefined;
}

const TYPES: ReadonlySet<string> = new Set<EntityType>(['user', 'client-id', 'ip']);
/** A literal of IPv4 or IPv6: connections are known by nothing else. */
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]{1,45})$/;

interface KeyRule {
  readonly isWhole: boolean;
  readonly isZeroAllowed?: boolean;
}

const CLIENT_KEYS: Readonly<Record<string, KeyRule>> = {
  producer_byte_rate: { isWhole: true },
  consumer_byte_rate: { isWhole: true },
  request_percentage: { isWhole: false },
  controller_mutation_rate: { isWhole: false },
} satisfies Record<QuotaKey, KeyRule>;
const ADDRESS_KEYS: Readonly<Record<string, KeyRule>> = {
  connection_creation_rate: { isWhole: true, isZeroAllowed: true },
};

export function isEntityType(type: string): type is EntityType {
  return TYPES.has(type);
}

/** The same for the same entity, in whatever order it was named. */
export function entityKey(entity: Entity): string {
  return JSON.stringify((['user', 'client-id', 'ip'] as const).map((type) => entity[type]).map(written));
}

/** `undefined` and `null` are different things here, which JSON's lists would make one. */
function written(name: string | null | undefined): string | null | 0 {
  return name === undefined ? 0 : name;
}

/** An entity from its parts, or what is wrong with them. */
export function entityOf(
  parts: ReadonlyArray<{ entityType: string; entityName: string | null }>,
): Entity | { readonly problem: string } {
  if (parts.length === 0) return { problem: 'cannot use a quota entity: got no parts' };
  const entity: Partial<Record<EntityType, string | null>> = {};
  for (const { entityType, entityName } of parts) {
    if (!isEntityType(entityType)) {
      return { problem: `cannot use a quota entity: got type ${entityType}, want user, client-id or ip` };
    }
    if (entityType in entity) return { problem: `cannot use a quota entity: got ${entityType} twice` };
    if (entityName === '') return { problem: `cannot use a quota entity: got an empty ${entityType}` };
    if (entityType === 'ip' && entityName !== null && !ADDRESS.test(entityName)) {
      return { problem: `cannot use a quota entity: got ${entityName}, want an address` };
    }
    entity[entityType] = entityName;
  }
  if ('ip' in entity && parts.length > 1) {
    return { problem: 'cannot use a quota entity: got an ip beside others, want it alone' };
  }
  return entity;
}

/** What is wrong with a change of this entity, undefined when nothing is. */
export function changeProblem(entity: Entity, { key, value }: QuotaChange): string | undefined {
  const rule = ('ip' in entity ? ADDRESS_KEYS : CLIENT_KEYS)[key];
  if (!rule) return `cannot set a quota: got ${key}, which this entity does not have`;
  if (value === undefined) return undefined;
  if (rule.isWhole && !Number.isSafeInteger(value))
    return `cannot set ${key}: got ${value}, want a whole number`;
  if (!(value > 0 || (rule.isZeroAllowed && value === 0)) || !Number.isFinite(value)) {
    return `cannot set ${key}: got ${value}, want more than 0`;
  }
  return undefined;
}

/** `strict` leaves out entities with parts that no filter names. */
export function matchesEntity(entity: Entity, filters: readonly EntityFilter[], strict: boolean): boolean {
  if (strict && Object.keys(entity).length !== filters.length) return false;
  return filters.every(({ type, name }) => type in entity && (name === undefined || entity[type] === name));
}
