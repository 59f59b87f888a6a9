/**
 * One API as the broker serves it. The list in `handlers/index.ts` holds one of these a key; ApiVersions and
 * dispatch follow from it.
 */
import { type Api } from '../wire/codec.ts';
import { responseFrame } from '../wire/frame.ts';
import type { Reader } from '../wire/reader.ts';
import type { Decoded, Encodable, Fields } from '../wire/schema.ts';
import type { ConnectionView, RequestContext } from './broker.ts';

/** A produce with acks=0 gets no answer. */
export const NO_ANSWER = Symbol('no answer');

/** Thrown by a handler whose only way to say no is to close the connection. */
export class CloseConnection extends Error {
  override readonly name = 'CloseConnection';
}

export interface Handler {
  readonly api: Api;
  readonly served: readonly [min: number, max: number];
  /** What ApiVersions says, where that has to differ. */
  readonly advertised: readonly [min: number, max: number];
  readonly handle: (request: unknown, context: RequestContext) => Promise<unknown>;
}

export function handler<S extends Fields, T extends Fields>(spec: {
  readonly api: Api<S, T>;
  readonly versions: readonly [number, number];
  readonly advertised?: readonly [number, number];
  handle(
    request: Decoded<S>,
    context: RequestContext,
  ): Encodable<T> | typeof NO_ANSWER | Promise<Encodable<T> | typeof NO_ANSWER>;
}): Handler {
  return {
    api: spec.api as unknown as Api,
    served: spec.versions,
    advertised: spec.advertised ?? spec.versions,
    handle: async (request, context) => spec.handle(request as Decoded<S>, context),
  };
}

/**
 * Sees every request between decoding and handling: it may wait, answer by itself, change the answer, or give
 * `NO_ANSWER`. The place where tests script misbehaviour.
 */
export type Intercept = (
  call: {
    readonly key: number;
    readonly name: string;
    readonly version: number;
    readonly clientId: string;
    readonly nodeId: number;
    readonly connection: ConnectionView;
    readonly request: unknown;
  },
  next: () => Promise<unknown>,
) => Promise<unknown>;

/** The frame of the answer; undefined when there is none. @throws WireError on a malformed body */
export async function serve(
  { api, handle }: Handler,
  body: Reader,
  header: { readonly version: number; readonly correlationId: number },
  context: RequestContext,
  intercept: Intercept | undefined,
): Promise<Buffer[] | undefined> {
  const request = api.request.decode(body, header.version);
  const answer = intercept
    ? await intercept(
        {
          key: api.key,
          name: api.name,
          version: header.version,
          clientId: context.clientId,
          nodeId: context.connection.nodeId,
          connection: context.connection,
          request,
        },
        () => handle(request, context),
      )
    : await handle(request, context);
  if (answer === NO_ANSWER) return undefined;
  return responseFrame(api, header, answer as Encodable<Fields>);
}
