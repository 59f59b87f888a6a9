import { responseFrame, readRequestHeader, skipRequestTags } from '../wire/frame.ts';
import { CODE } from '../wire/errors.ts';
import { Reader } from '../wire/reader.ts';
import { apiVersions } from '../wire/schemas/index.ts';
import { CLUSTER_NAME } from '../security/authorizer.ts';
import { rawToken } from '../security/raw-token.ts';
import type { Broker, ConnectionView, RequestContext } from './broker.ts';
import { metered } from '../quotas/metered.ts';
import type { QuotaCharges } from '../quotas/quota-charges.ts';
import type { Nodes } from '../nodes/nodes.ts';
import type { Body } from '../nodes/split.ts';
import type { Route } from '../nodes/route.ts';
import { ROUTES } from '../nodes/routes.ts';
import { CloseConnection, type Handler, type Intercept, serve } from './handler.ts';

/** A request's way through its connection. */
export interface Turn {
  /**
   * To be called when the next request may begin before this one is answered, if that is ever so. `isDone`: nothing
   * looks at the frame any more, and its memory may be used again.
   */
  readonly accepted: (isDone: boolean) => void;
  /** Resolves when an answer of that many bytes may be put together. */
  readonly reserve: (bytes: number) => Promise<void>;
  /** Calls the function when the answer was sent, or will not be. */
  readonly whenSent: (fn: () => void) => void;
  /** The connection is muted for so long after the answer. */
  readonly throttle: (ms: number) => void;
}

export type Dispatch = (
  frame: Buffer,
  connection: ConnectionView,
  turn: Turn,
) => Promise<Buffer[] | undefined>;

export interface DispatchOptions {
  readonly intercept?: Intercept | undefined;
  readonly nodes?: Nodes | undefined;
  readonly charges?: QuotaCharges | undefined;
  /** Told of every request that is served. */
  readonly onRequest?: ((api: string) => void) | undefined;
}

/** Routes a request frame to its handler. @throws WireError, CloseConnection: the connection is beyond help */
export function dispatcher(
  handlers: readonly Handler[],
  broker: Broker,
  { intercept, nodes, charges, onRequest }: DispatchOptions = {},
): Dispatch {
  const byKey = new Map(
    handlers.map((one) => {
      const charged = charges ? metered(one, charges) : one;
      return [one.api.key, nodes && nodes.ids.length > 1 ? routed(charged, nodes) : charged];
    }),
  );
  return async (frame, connection, { accepted, reserve, whenSent, throttle }) => {
    if (connection.authentication.isRaw) return rawToken(frame, connection, broker.host.timers);
    const reader = new Reader(frame);
    const { apiKey, apiVersion, correlationId, clientId } = readRequestHeader(reader);
    const refusal = connection.authentication.refusal(apiKey);
    if (refusal !== undefined) throw new CloseConnection(refusal);
    const found = byKey.get(apiKey);
    if (!found) throw new CloseConnection(`got API key ${apiKey}, which is not served`);
    const [min, max] = found.served;
    if (apiVersion < min || apiVersion > max) {
      if (apiKey === apiVersions.key) return versionZeroRefusal(broker, correlationId);
      throw new CloseConnection(`got ${found.api.name} version ${apiVersion}, want ${min} to ${max}`);
    }
    onRequest?.(found.api.name);
    skipRequestTags(reader, found.api, apiVersion);
    const { principal } = connection;
    const clientHost = connection.remote.host;
    const context: RequestContext = {
      broker,
      version: apiVersion,
      clientId: clientId ?? '',
      connection,
      may: (operation, resourceType, name = CLUSTER_NAME) =>
        broker.authorizer.allows({ principal, clientHost, operation, resourceType, name }),
      maySome: (operation, resourceType) =>
        broker.authorizer.allowsSome({ principal, clientHost, operation, resourceType }),
      // Who intercepts may look at the request for as long as he likes, and have it handled twice.
      accepted: () => accepted(intercept === undefined),
      reserve,
      whenSent,
      throttle,
    };
    return serve(found, reader, { version: apiVersion, correlationId }, context, intercept);
  };
}

/** With one node there is nobody else to point to, and no detour. */
function routed(handler: Handler, nodes: Nodes): Handler {
  const route: Route | undefined = ROUTES.get(handler.api.key);
  if (!route) return handler;
  return {
    ...handler,
    handle: (request, context) =>
      route({
        request: request as Body,
        context,
        nodes,
        next: (changed) => handler.handle(changed, context),
      }),
  };
}

/**
 * KIP-511: a client that guessed too high can read version 0, and finds there which versions to use. The body
 * of its request is of unknown shape and stays unread.
 */
function versionZeroRefusal(broker: Broker, correlationId: number): Buffer[] {
  return responseFrame(
    apiVersions,
    { version: 0, correlationId },
    {
      errorCode: CODE.UNSUPPORTED_VERSION,
      apiKeys: broker.apis.filter(({ apiKey }) => apiKey === apiVersions.key),
    },
  );
}
