/**
 * ListConfigResources (74), versions 0 to 1: names of what has settings. v0 lists subscriptions to client metrics, v1
 * the kinds that are asked for, all of them when none is.
 */
import { RESOURCE } from '../configs/definition.ts';
import type { Broker } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { listConfigResources } from '../wire/schemas/index.ts';

const ALL: readonly number[] = Object.values(RESOURCE);

export default handler({
  api: listConfigResources,
  versions: [0, 1],
  handle({ resourceTypes }, { broker, may, version }) {
    const refuse = (errorCode: number) => ({ errorCode, configResources: [] });
    if (!may('DescribeConfigs', 'Cluster')) return refuse(CODE.CLUSTER_AUTHORIZATION_FAILED);
    if (resourceTypes.some((type) => !ALL.includes(type))) return refuse(CODE.UNSUPPORTED_VERSION);
    const asked = resourceTypes.length > 0 ? [...new Set(resourceTypes)] : ALL;
    const types = version === 0 ? [RESOURCE.clientMetrics] : asked;
    return {
      errorCode: CODE.NONE,
      configResources: types.flatMap((resourceType) =>
        namesOf(resourceType, broker).map((resourceName) => ({ resourceName, resourceType })),
      ),
    };
  },
});

function namesOf(type: number, { configs, log }: Broker): string[] {
  switch (type) {
    case RESOURCE.topic:
      return log.topics().map(({ name }) => name);
    case RESOURCE.group:
      return configs.admin.names('groups');
    case RESOURCE.clientMetrics:
      return configs.admin.names('clientMetrics');
    default:
      return [String(configs.file.nodeId)];
  }
}
