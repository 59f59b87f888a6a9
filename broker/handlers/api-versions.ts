/**
 * ApiVersions (18), versions 0 to 5. Unknown versions are answered in version 0 by dispatch (KIP-511).
 *
 * v3 (KIP-511) names the client's software, which must look like a name, and answers features. Clients before v4 take
 * a feature whose minimum is 0 for a malformed answer, so they are not told of it (KAFKA-17011).
 * v5 (KIP-1242) may say which node of which cluster the client wants to talk to, either both or none: one that reached
 * another is sent back to its bootstrap servers.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { apiVersions } from '../wire/schemas/index.ts';

const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

export default handler({
  api: apiVersions,
  versions: [0, 5],
  handle(request, { broker, version, connection }) {
    if (
      version >= 3 &&
      !(SOFTWARE.test(request.clientSoftwareName) && SOFTWARE.test(request.clientSoftwareVersion))
    ) {
      return { errorCode: CODE.INVALID_REQUEST, apiKeys: [] };
    }
    const { clusterId, nodeId } = request;
    if ((clusterId === null) !== (nodeId === -1)) return { errorCode: CODE.INVALID_REQUEST, apiKeys: [] };
    if (clusterId !== null && (clusterId !== broker.log.clusterId || nodeId !== connection.nodeId)) {
      return { errorCode: CODE.REBOOTSTRAP_REQUIRED, apiKeys: [] };
    }
    if (version >= 3) {
      connection.software = { name: request.clientSoftwareName, version: request.clientSoftwareVersion };
    }
    const { features } = broker;
    return {
      errorCode: CODE.NONE,
      apiKeys: broker.apis,
      supportedFeatures: features
        .supported()
        .filter(({ min }) => min > 0 || version >= 4)
        .map(({ name, min, max }) => ({ name, minVersion: min, maxVersion: max })),
      finalizedFeaturesEpoch: features.epoch,
      finalizedFeatures: features
        .finalized()
        .map(({ name, level }) => ({ name, maxVersionLevel: level, minVersionLevel: level })),
    };
  },
});
