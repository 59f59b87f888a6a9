/** `localhost` means both loopback addresses, also where the resolver knows only one of them. */
// For the HTTP parts outside the broker; the broker itself listens through `Net`.
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';

import type { FastifyInstance } from 'fastify';

export interface Listening {
  readonly port: number;
  /** Stops taking connections and requests; those under way get their answer. */
  close(): Promise<void>;
  /** Ends every connection at once. */
  destroy(): void;
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
  const alone: Listening = {
    port: bound,
    close: () => app.close(),
    destroy: () => app.server.closeAllConnections(),
  };
  if (host !== 'localhost') return alone;

  const second = http.createServer((request, response) => app.routing(request, response));
  const { requestTimeout, headersTimeout, keepAliveTimeout, timeout } = app.server;
  Object.assign(second, { requestTimeout, headersTimeout, keepAliveTimeout, timeout });
  try {
    await new Promise<void>((resolve, reject) => {
      second.once('error', reject);
      second.listen(bound, '::1', () => {
        second.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    if (NO_IPV6.has(codeOf(error))) return alone;
    await app.close();
    throw cannotListen('[::1]', bound, error);
  }
  return {
    port: bound,
    async close() {
      const closed = new Promise<void>((resolve) => void second.close(() => resolve()));
      second.closeIdleConnections();
      await app.close();
      await closed;
    },
    destroy() {
      app.server.closeAllConnections();
      second.closeAllConnections();
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
