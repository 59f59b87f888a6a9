/** A broker with access rules, who may do everything there, and who may do what a test allows. */
import { PATTERN, PERMISSION } from '../../../broker/security/acl.ts';
import {
  OPERATION,
  type Operation,
  RESOURCE_TYPE,
  type ResourceType,
} from '../../../broker/security/authorizer.ts';
import type { CODE } from '../../../broker/wire/errors.ts';
import * as api from '../../../broker/wire/schemas/index.ts';
import { RawClient } from '../raw-client.ts';
import { makeTopic } from '../requests.ts';
import { plain } from '../sasl-client.ts';
import { startTestBroker, type TestBroker } from '../test-broker.ts';

export type Grant = readonly [ResourceType, string, Operation];

/** One right that one API asks for. The name begins with the API's. */
export interface Denial {
  readonly name: string;
  readonly grant: Grant;
  readonly denied: keyof typeof CODE;
  /** The code that answers; without the right it is `denied`, with it another. */
  readonly ask: (client: RawClient, world: DenialWorld) => Promise<number>;
}

export interface DenialWorld {
  readonly broker: TestBroker;
  /** A super user, by the listener that asks nobody. */
  admin: RawClient;
  /** Who has no rights but those that a test gives. */
  ann: RawClient;
  /** Of `logs`; there is `secret` too. */
  readonly topicId: string;
  allow(...grants: readonly Grant[]): Promise<void>;
  revoke(...grants: readonly Grant[]): Promise<void>;
  /** With these rights for so long. */
  allowing<T>(grants: readonly Grant[], run: () => Promise<T>): Promise<T>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export const EVERYTHING = {
  resourceTypeFilter: 1,
  resourceNameFilter: null,
  patternTypeFilter: 1,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
};

export async function startDenialWorld(): Promise<DenialWorld> {
  const broker = await startTestBroker({
    listeners: [
      {
        name: 'SASL',
        port: 0,
        protocol: 'SASL_PLAINTEXT',
        sasl: { mechanisms: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] },
      },
      { name: 'ADMIN', port: 0 },
    ],
    security: { plainUsers: { ann: 'secret' }, authorizer: true, superUsers: ['User:ANONYMOUS'] },
  });
  const connectAdmin = () => RawClient.connect(broker.portOf('ADMIN'));
  const connectAnn = async (): Promise<RawClient> => {
    const client = await RawClient.connect(broker.portOf('SASL'));
    await plain(client, 'ann', 'secret');
    return client;
  };
  const admin = await connectAdmin();
  const topicId = await makeTopic(admin, 'logs');
  await makeTopic(admin, 'secret');
  const world: DenialWorld = {
    broker,
    admin,
    ann: await connectAnn(),
    topicId,
    async allow(...grants) {
      const { results } = await world.admin.call(api.createAcls, 3, { creations: grants.map(ruleOf) });
      if (results.some(({ errorCode }) => errorCode !== 0)) throw new Error('a rule was not made');
    },
    async revoke(...grants) {
      const filters = grants.map(ruleOf).map((rule) => ({
        resourceTypeFilter: rule.resourceType,
        resourceNameFilter: rule.resourceName,
        patternTypeFilter: rule.resourcePatternType,
        principalFilter: rule.principal,
        hostFilter: rule.host,
        operation: rule.operation,
        permissionType: rule.permissionType,
      }));
      const { filterResults } = await world.admin.call(api.deleteAcls, 3, { filters });
      if (filterResults.some(({ matchingAcls }) => matchingAcls.length !== 1)) {
        throw new Error('a rule was not there');
      }
    },
    async allowing(grants, run) {
      await world.allow(...grants);
      try {
        return await run();
      } finally {
        await world.revoke(...grants);
      }
    },
    async restart() {
      await broker.restart();
      world.admin = await connectAdmin();
      world.ann = await connectAnn();
    },
    async stop() {
      world.admin.close();
      world.ann.close();
      await broker.stop();
    },
  };
  return world;
}

/** Of ann, from everywhere, for exactly this resource. */
export function ruleOf([resourceType, resourceName, operation]: Grant) {
  return {
    resourceType: RESOURCE_TYPE[resourceType],
    resourceName,
    resourcePatternType: PATTERN.literal,
    principal: 'User:ann',
    host: '*',
    operation: OPERATION[operation],
    permissionType: PERMISSION.allow,
  };
}
