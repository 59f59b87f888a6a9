/**
 * Keeps web pages out. A page open in a browser on this machine can send requests to localhost; it must neither
 * write nor read here. Browsers say where a request comes from, and programs do not send these headers.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

import type { StoreConfig } from './config.ts';
import { refuse } from './errors.ts';

/** Throws for what a page of another origin sent, or a page that had its own name point here (DNS rebinding). */
export function checkOrigin(message: IncomingMessage, config: StoreConfig): void {
  const { origin } = message.headers;
  if (origin !== undefined && config.allowedOrigins.includes(origin)) return;
  const site = message.headers['sec-fetch-site'];
  if (origin !== undefined || (site !== undefined && site !== 'none')) {
    throw refuse.denied(
      `cannot answer a web page: got origin ${origin ?? String(site)}, want one of allowedOrigins in the store's configuration`,
    );
  }
  const name = hostName(message.headers.host ?? 'localhost');
  if (isIP(name) || name === 'localhost' || name === config.host || config.hostNames.includes(name)) return;
  throw refuse.denied(
    `cannot answer for the host name ${name}: want localhost, an address, or one of hostNames in the store's configuration`,
  );
}

function hostName(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'));
  return host.split(':')[0]!.toLowerCase();
}
