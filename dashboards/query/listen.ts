/** `localhost` means both loopback addresses, also where the resolver knows only one of them. */
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';

import type { FastifyInstance } from 'fastify';

export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

/** The machine has no IPv6, or none on the loopback. */
const NO_IPV6 = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL', 'EPROTONOSUPPORT']);

/** Rejects with "cannot listen on …" when the port is taken. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<Listening> {
  try {
    await app.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port });
  } catch (error) {
    throw cannotListen(host, port, error);
  }
  const bound = (app.server.address() as AddressInfo).port;
  if (host !== 'localhost') return { port: bound, close: () => app.close() };

  const second = http.createServer((request, response) => app.routing(request, response));
  try {
    await new Promise<void>((resolve, reject) => {
      second.once('error', reject);
      second.listen(bound, '::1', () => {
        second.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    if (NO_IPV6.has(codeOf(error))) return { port: bound, close: () => app.close() };
    await app.close();
    throw cannotListen('[::1]', bound, error);
  }
  return {
    port: bound,
    async close() {
      const closed = new Promise<void>((resolve) => void second.close(() => resolve()));
      second.closeAllConnections();
      await app.close();
      await closed;
    },
  };
}

function cannotListen(host: string, port: number, error: unknown): Error {
  return new Error(`cannot listen on ${host}:${port}: got ${codeOf(error)}, want a free port`, {
    cause: error,
  });
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
