/**
 * Keeps other web sites from writing through a visitor's browser: the server listens on the loopback and
 * trusts whoever is there, and a browser there carries requests of any site that it shows.
 *
 * Reads need no guard: without CORS headers other sites cannot see the answers. Programs send neither header.
 */
import type { IncomingHttpHeaders } from 'node:http';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The reason to refuse, or undefined. */
export function crossOriginRefusal(method: string, headers: IncomingHttpHeaders): string | undefined {
  if (SAFE.has(method)) return undefined;
  const site = headers['sec-fetch-site'];
  if (site === 'same-origin' || site === 'none') return undefined;
  if (site !== undefined)
    return `cannot accept a write from another site: got sec-fetch-site ${String(site)}`;
  const { origin, host } = headers;
  if (origin === undefined) return undefined;
  const from = URL.canParse(origin) ? new URL(origin).host : origin;
  return from === host
    ? undefined
    : `cannot accept a write from another site: got origin ${origin}, want ${host}`;
}

/**
 * DNS rebinding: a foreign name that points at this machine makes that site's reads same-origin. Addresses
 * and `localhost` pass, any port; a server for others listens on another address than the loopback.
 */
export function hostRefusal(hostHeader: string | undefined): string | undefined {
  if (hostHeader === undefined || hostHeader === '') return undefined;
  const name = hostHeader.replace(/:\d+$/, '').toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return undefined;
  if (/^[\d.]+$/.test(name) || name.startsWith('[')) return undefined;
  return `cannot serve host ${hostHeader}: want localhost or an address, since the server listens on the loopback only`;
}
