import type { RequestContext } from '../../broker/server/broker.ts';
import type { Handler } from '../../broker/server/handler.ts';
import type { Api } from '../../broker/wire/codec.ts';
import { Reader } from '../../broker/wire/reader.ts';
import type { Decoded, Encodable, Fields } from '../../broker/wire/schema.ts';
import { Writer } from '../../broker/wire/writer.ts';

/** Request and answer through their bytes, without a socket: the answer as the client reads it. */
export async function askHandler<S extends Fields, T extends Fields>(
  handler: Handler,
  api: Api<S, T>,
  request: Encodable<S>,
  context: RequestContext,
): Promise<Decoded<T>> {
  const { version } = context;
  const sent = new Writer();
  api.request.encode(sent, version, request);
  const decoded = api.request.decode(new Reader(sent.toBuffer()), version);
  const answer = await handler.handle(decoded, context);
  const got = new Writer();
  api.response.encode(got, version, answer as Encodable<T>);
  return api.response.decode(new Reader(got.toBuffer()), version);
}
