/** Who may do what to which resource: Kafka's operations and resource types, by their names in its documentation. */
export const OPERATION = {
  Any: 1,
  All: 2,
  Read: 3,
  Write: 4,
  Create: 5,
  Delete: 6,
  Alter: 7,
  Describe: 8,
  ClusterAction: 9,
  DescribeConfigs: 10,
  AlterConfigs: 11,
  IdempotentWrite: 12,
  CreateTokens: 13,
  DescribeTokens: 14,
  TwoPhaseCommit: 15,
} as const;

export const RESOURCE_TYPE = {
  Any: 1,
  Topic: 2,
  Group: 3,
  Cluster: 4,
  TransactionalId: 5,
  DelegationToken: 6,
  User: 7,
} as const;

export type Operation = Exclude<keyof typeof OPERATION, 'Any' | 'All'>;
export type ResourceType = Exclude<keyof typeof RESOURCE_TYPE, 'Any'>;

/** The one resource of type Cluster. */
export const CLUSTER_NAME = 'kafka-cluster';
/** Who has not said who it is. */
export const ANONYMOUS = 'User:ANONYMOUS';

/** One question. */
export interface Access {
  /** `User:name`. */
  readonly principal: string;
  /** The client's address. */
  readonly clientHost: string;
  readonly operation: Operation;
  readonly resourceType: ResourceType;
  readonly name: string;
}

export interface Authorizer {
  allows(access: Access): boolean;
  /** Whether there is any resource of the type on which it is allowed. */
  allowsSome(access: Omit<Access, 'name'>): boolean;
}

/** Where no authorizer is configured. */
export const allowAll: Authorizer = { allows: () => true, allowsSome: () => true };
