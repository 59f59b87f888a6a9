import { type DecodedRequest, decodeRequest, decodeResponse, type Exchange } from './exchanges.ts';
import { plain } from './golden.ts';
import type { SeenExchange } from './recording-proxy.ts';

/** Bytes of request and response together: what says more is too long to read and to keep. */
const BYTES_WANTED = 700;
/** Longer ones are not kept at all, as a description of all settings of a broker. */
const BYTES_MAX = 12_000;

/** Of everything that passed by, one exchange of each client, API and version: the one that says most. */
export class ChosenExchanges {
  /** Frames that could not be read, by reason: tokens of a bare SASL exchange, or mistakes of ours. */
  readonly unread = new Map<string, number>();
  /** Exchanges that were never short enough. */
  readonly tooLong = new Set<string>();
  private readonly chosen = new Map<string, { readonly exchange: Exchange; readonly size: number }>();

  /** The request where it could be read. */
  add({ client, request, response }: SeenExchange): DecodedRequest | undefined {
    let decoded: DecodedRequest;
    try {
      decoded = decodeRequest(request);
      if (decoded.remaining > 0) throw new Error(`${decoded.api.name}: ${decoded.remaining} bytes are left`);
    } catch (error) {
      this.count(client, error);
      return undefined;
    }
    const { api, header, body } = decoded;
    const { apiVersion: version } = header;
    const name = [client, api.name, version].join(' ');
    const size = request.length + response.length;
    const best = this.chosen.get(name);
    if (size > BYTES_MAX) {
      if (!best) this.tooLong.add(name);
      return decoded;
    }
    if (best && !saysMore(size, best.size)) return decoded;
    try {
      const answer = decodeResponse(decoded, response);
      if (answer.remaining > 0) throw new Error(`${api.name} response: ${answer.remaining} bytes are left`);
      const exchange = {
        client,
        api: api.name,
        version,
        request: request.toString('base64'),
        asks: plain(body),
        response: response.toString('base64'),
        answers: plain(answer.body),
      };
      this.chosen.set(name, { exchange, size });
      this.tooLong.delete(name);
    } catch (error) {
      this.count(client, error);
    }
    return decoded;
  }

  all(): Exchange[] {
    return [...this.chosen.values()].map(({ exchange }) => exchange);
  }

  private count(client: string, error: unknown): void {
    const reason = `${client}: ${String(error)}`;
    this.unread.set(reason, (this.unread.get(reason) ?? 0) + 1);
  }
}

function saysMore(size: number, than: number): boolean {
  if (size <= BYTES_WANTED) return than > BYTES_WANTED || size > than;
  return size < than;
}
