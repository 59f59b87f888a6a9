import * as http from 'node:http';
import * as https from 'node:https';

/** What became of one request. */
export type Outcome =
  | { readonly type: 'taken'; readonly rejected: number; readonly message: string }
  /** The same request may succeed later: the collector is away, full or asks for patience. */
  | { readonly type: 'later'; readonly reason: string; readonly retryAfterMs?: number }
  /** The collector will never take these bytes. */
  | { readonly type: 'refused'; readonly reason: string };

/** Sends one OTLP/HTTP protobuf request, given in pieces; `path` is `/v1/logs` or `/v1/metrics`. Never rejects. */
export interface Post {
  (
    path: string,
    pieces: readonly Buffer[],
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<Outcome>;
}

/** Bytes of an answer that are read: enough for any message worth a log line. */
const ANSWER_BYTES_MAX = 64 * 1024;

/**
 * Refusals of these bytes as such: malformed or too large. Every other status is taken for a state of the
 * collector or of what stands before it (a wrong path, a missing right, an overload): the lines wait in their
 * file, which loses nothing, and the log says why.
 */
const REFUSALS = new Set([400, 413, 422]);

export interface Poster {
  readonly post: Post;
  close(): void;
}

/** Requests over kept connections. A request without an answer for `timeoutMs` counts as unreachable. */
export function createPoster(collector: string, timeoutMs: number): Poster {
  const base = new URL(collector);
  const { request, Agent } = base.protocol === 'https:' ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const prefix = base.pathname.replace(/\/+$/, '');
  const post: Post = (path, pieces, extra, signal) =>
    new Promise((resolve) => {
      const failed = (error: NodeJS.ErrnoException): void =>
        resolve({ type: 'later', reason: error.code ?? error.message });
      const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
      const headers = { ...extra, 'content-type': 'application/x-protobuf', 'content-length': bytes };
      const options = { method: 'POST', agent, headers, path: prefix + path, ...(signal ? { signal } : {}) };
      const outgoing = request(base, options, (answer) => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size <= ANSWER_BYTES_MAX) chunks.push(chunk);
        });
        answer.on('error', failed);
        answer.on('end', () => {
          const status = answer.statusCode ?? 0;
          resolve(outcomeOf(status, answer.headers['retry-after'], Buffer.concat(chunks)));
        });
      });
      outgoing.setTimeout(timeoutMs, () =>
        outgoing.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
      );
      outgoing.on('error', failed);
      for (const piece of pieces) outgoing.write(piece);
      outgoing.end();
    });
  return { post, close: () => agent.destroy() };
}

function outcomeOf(status: number, retryAfter: string | undefined, answer: Buffer): Outcome {
  if (status >= 200 && status < 300) return { type: 'taken', ...partialSuccess(answer) };
  const reason = String(status);
  if (REFUSALS.has(status)) return { type: 'refused', reason };
  const seconds = Number(retryAfter);
  return retryAfter !== undefined && seconds >= 0
    ? { type: 'later', reason, retryAfterMs: seconds * 1000 }
    : { type: 'later', reason };
}

/**
 * `Export*ServiceResponse`: field 1 is the partial success, in it field 1 the rejected records and field 2
 * why. Anything else counts as a full success, as the specification says of answers that cannot be read.
 */
export function partialSuccess(answer: Buffer): { rejected: number; message: string } {
  const outer = fields(answer);
  const partial = fields(outer.bytes.get(1) ?? Buffer.alloc(0));
  return { rejected: partial.numbers.get(1) ?? 0, message: partial.bytes.get(2)?.toString('utf8') ?? '' };
}

function fields(bytes: Buffer): { numbers: Map<number, number>; bytes: Map<number, Buffer> } {
  const found = { numbers: new Map<number, number>(), bytes: new Map<number, Buffer>() };
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    while (at < bytes.length) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const value = varint();
    if (tag % 8 === 0) found.numbers.set(Math.floor(tag / 8), value);
    else if (tag % 8 === 2 && at + value <= bytes.length) {
      found.bytes.set(Math.floor(tag / 8), bytes.subarray(at, at + value));
      at += value;
    } else break;
  }
  return found;
}
