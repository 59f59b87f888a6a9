/** Export requests made beforehand, and sent over several connections: a sender that costs next to nothing a record. */
import { Agent, request } from 'node:http';

import { encodeLogs } from '../../broker/records/otlp/write-logs.ts';
import { contentOf } from '../../collector/generate/content.ts';

export interface LogsRequest {
  readonly body: Buffer;
  readonly records: number;
}

/**
 * Requests of realistic records (seeded), one service and instance each, as a collector of one service sends them.
 * `service` is the beginning of every service's name.
 */
export function logsRequests(service: string, requests: number, recordsEach: number): LogsRequest[] {
  const nowNano = BigInt(Date.now()) * 1_000_000n;
  return Array.from({ length: requests }, (_, index) => {
    const records = Array.from({ length: recordsEach }, (_one, n) => ({
      ...contentOf(1, index * recordsEach + n).record,
      timeUnixNano: nowNano + BigInt(n),
      observedTimeUnixNano: nowNano + BigInt(n),
    }));
    const attributes = { 'service.name': `${service}-${index}`, 'service.instance.id': `instance-${index}` };
    const body = encodeLogs({ resource: { attributes }, scope: { name: 'bench', version: '1' }, records });
    return { body, records: recordsEach };
  });
}

export interface Sender {
  /** Resolves when the records are accepted; 429 and 503 are waited out. @throws for any other answer */
  send(body: Buffer): Promise<void>;
  close(): void;
}

export function otlpSender(endpoint: string, connections: number): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const url = new URL('/v1/logs', endpoint);
  const attempt = (body: Buffer): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-protobuf', 'content-length': body.length };
      const outgoing = request(url, { method: 'POST', agent, headers }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  return {
    async send(body) {
      for (;;) {
        const status = await attempt(body);
        if (status === 200) return;
        if (status !== 429 && status !== 503) throw new Error(`cannot send: got status ${status}, want 200`);
        await new Promise((resolve) => void setTimeout(resolve, 20));
      }
    },
    close: () => agent.destroy(),
  };
}

/** Sends requests in turn over `connections` until `more` says no; records accepted, and how long it took. */
export async function sendWhile(
  endpoint: string,
  requests: readonly LogsRequest[],
  connections: number,
  more: (sentRecords: number) => boolean,
): Promise<{ records: number; bytes: number; seconds: number }> {
  const sender = otlpSender(endpoint, connections);
  let next = 0;
  let sent = 0;
  let bytes = 0;
  const start = performance.now();
  const run = async (): Promise<void> => {
    while (more(sent)) {
      const { body, records } = requests[next++ % requests.length]!;
      sent += records;
      bytes += body.length;
      await sender.send(body);
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, run));
    return { records: sent, bytes, seconds: (performance.now() - start) / 1_000 };
  } finally {
    sender.close();
  }
}
