/**
 * ApiVersions (18), versions 0 to 4. Unknown versions are answered in version 0 by dispatch (KIP-511).
 *
 * v3 (KIP-511) names the client's software, which must look like a name. v4 allows features whose minimum is 0.
 * No features are finalized: without `transaction.version` clients keep to the classic transaction flow, without
 * `group.version` to the classic groups.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { apiVersions } from '../wire/schemas/index.ts';

const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

export default handler({
  api: apiVersions,
  versions: [0, 4],
  handle(request, { broker, version }) {
    if (
      version >= 3 &&
      !(SOFTWARE.test(request.clientSoftwareName) && SOFTWARE.test(request.clientSoftwareVersion))
    ) {
      return { errorCode: CODE.INVALID_REQUEST, apiKeys: [] };
    }
    return { errorCode: CODE.NONE, apiKeys: broker.apis };
  },
});
