import * as http from 'node:http';
import * as https from 'node:https';

import type { Settings } from './settings.ts';

/** What became of one request. */
export type Outcome =
  | { readonly type: 'taken'; readonly rejected: number }
  | {
      readonly type: 'later';
      readonly reason: string;
      /** False when no answer came at all. */
      readonly answered: boolean;
      readonly retryAfterMs?: number;
    }
  | { readonly type: 'refused'; readonly reason: string };

/** Bytes of an answer that are read; more than a partial success ever says. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** Answers after which the same request is worth sending again (OTLP/HTTP specification). */
const RETRIABLE = new Set([429, 502, 503, 504]);

export type Post = (body: Buffer, headers: Record<string, string>, timeoutMs: number) => Promise<Outcome>;

/** OTLP/HTTP JSON over one kept connection. Never rejects. */
export function createPost(settings: Pick<Settings, 'url' | 'headers'>): Post {
  const url = new URL(settings.url);
  const { request, Agent } = url.protocol === 'https:' ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return (body, extra, timeoutMs) =>
    new Promise((resolve) => {
      const later = (error: NodeJS.ErrnoException): void =>
        resolve({
          type: 'later',
          answered: false,
          reason: `is not reachable: ${error.code ?? error.message}`,
        });
      const headers = {
        ...settings.headers,
        ...extra,
        'content-type': 'application/json',
        'content-length': body.length,
      };
      const outgoing = request(url, { method: 'POST', agent, headers }, (answer) => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size <= ANSWER_BYTES_MAX) chunks.push(chunk);
        });
        answer.on('error', later);
        answer.on('end', () =>
          resolve(outcomeOf(answer.statusCode ?? 0, answer.headers['retry-after'], Buffer.concat(chunks))),
        );
      });
      outgoing.setTimeout(timeoutMs, () =>
        outgoing.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
      );
      outgoing.on('error', later);
      outgoing.end(body);
    });
}

function outcomeOf(status: number, retryAfter: string | undefined, answer: Buffer): Outcome {
  if (status >= 200 && status < 300) return { type: 'taken', rejected: rejectedIn(answer) };
  const reason = `answered ${status}`;
  if (!RETRIABLE.has(status)) return { type: 'refused', reason };
  const seconds = Number(retryAfter);
  return retryAfter !== undefined && seconds >= 0
    ? { type: 'later', answered: true, reason, retryAfterMs: Math.min(seconds * 1000, 60_000) }
    : { type: 'later', answered: true, reason };
}

function rejectedIn(answer: Buffer): number {
  try {
    const { partialSuccess } = JSON.parse(answer.toString('utf8')) as {
      partialSuccess?: { rejectedLogRecords?: string | number };
    };
    return Number(partialSuccess?.rejectedLogRecords ?? 0);
  } catch {
    return 0;
  }
}
