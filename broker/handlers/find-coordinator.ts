/**
 * FindCoordinator (10), versions 0 to 6: this node, at the first call, also for a group nobody has used. v1 adds
 * the key type (0 group, 1 transaction, 2 share), v4 (KIP-699) several keys at once.
 * v6 knows shares, whose key is `group:topicId:partition`; only brokers ask for them in Kafka, so it takes
 * ClusterAction. Anything else is INVALID_REQUEST.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { codeOf } from '../server/topics.ts';
import { CODE } from '../wire/errors.ts';
import { findCoordinator } from '../wire/schemas/index.ts';

const GROUP = 0;
const TRANSACTION = 1;
const SHARE = 2;
const SHARE_VERSION_MIN = 6;
const SHARE_KEY = /^.+:[\w-]{22}:\d{1,10}$/s;

export default handler({
  api: findCoordinator,
  versions: [0, 6],
  async handle(request, context) {
    const keys = context.version >= 4 ? request.coordinatorKeys : [request.key];
    const available = await availability(request.keyType, context);
    const { nodeId } = context.broker.config;
    const where = (key: string) => {
      const errorCode = denial(request.keyType, key, context) ?? available;
      return errorCode === CODE.NONE
        ? { nodeId, ...context.connection.advertised, errorCode, errorMessage: null }
        : { nodeId: -1, host: '', port: -1, errorCode, errorMessage: messageFor(request.keyType) };
    };
    return { ...where(keys[0] ?? ''), coordinators: keys.map((key) => ({ key, ...where(key) })) };
  },
});

function denial(keyType: number, key: string, { may, version }: RequestContext): number | undefined {
  if (keyType === TRANSACTION && !may('Describe', 'TransactionalId', key)) {
    return CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
  }
  if (keyType === SHARE) {
    if (version < SHARE_VERSION_MIN) return CODE.INVALID_REQUEST;
    if (!may('ClusterAction', 'Cluster')) return CODE.CLUSTER_AUTHORIZATION_FAILED;
    return SHARE_KEY.test(key) ? undefined : CODE.INVALID_REQUEST;
  }
  const isOfGroup = keyType === GROUP;
  return isOfGroup && !may('Describe', 'Group', key) ? CODE.GROUP_AUTHORIZATION_FAILED : undefined;
}

async function availability(keyType: number, { broker }: RequestContext): Promise<number> {
  const topics = new Map([
    [GROUP, broker.groups.topic],
    [TRANSACTION, broker.transactions.topic],
    [SHARE, broker.shares.deliveries.stateLog.topic],
  ]);
  const topic = topics.get(keyType);
  if (!topic) return CODE.INVALID_REQUEST;
  try {
    await topic.ensure();
    return CODE.NONE;
  } catch (error) {
    return codeOf(error) === CODE.NONE ? CODE.NONE : CODE.COORDINATOR_NOT_AVAILABLE;
  }
}

function messageFor(keyType: number): string | null {
  if (keyType === SHARE) return 'cannot find a coordinator: want a key of group:topicId:partition';
  const isKnown = keyType === GROUP || keyType === TRANSACTION;
  return isKnown ? null : `cannot find a coordinator: got key type ${keyType}, want 0 to 2`;
}
