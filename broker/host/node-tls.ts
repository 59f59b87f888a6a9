/** TLS listeners and clients. A connection becomes a `Socket` once its handshake is done; what fails before is told in words. */
import { isIP, type Socket as NetSocket } from 'node:net';
import * as tls from 'node:tls';

import type { Address, TlsConnect, TlsListen, TlsMaterial } from './net.ts';
import { SOCKET_OPTIONS } from './socket-options.ts';

/** Node's default is two minutes, in which a silent client would hold a socket that nobody counts. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Handshakes under way, which no bound of the server counts yet; one more is refused. */
const HANDSHAKES_MAX = 1_000;

export interface TlsServer {
  readonly server: tls.Server;
  renew(material: TlsMaterial): void;
  /** Ends handshakes that are under way. */
  abandon(): void;
}

/** @throws Error when key and certificate are no pair */
export function tlsServer(
  { material, clientAuth, onRefused }: TlsListen,
  onSocket: (socket: tls.TLSSocket) => void,
): TlsServer {
  /** By the client's address and port, which the raw and the encrypted socket share. */
  const shaking = new Map<string, NetSocket>();
  const server = tls.createServer({
    ...contextOf(material),
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'required',
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    ...SOCKET_OPTIONS,
  });
  server.on('connection', (socket: NetSocket) => {
    if (shaking.size >= HANDSHAKES_MAX) {
      socket.destroy();
      onRefused(remoteOf(socket), `got one handshake more than ${HANDSHAKES_MAX}`);
      return;
    }
    const name = nameOf(socket);
    shaking.set(name, socket);
    socket.once('close', () => {
      if (shaking.get(name) === socket) shaking.delete(name);
    });
  });
  server.on('secureConnection', (socket) => {
    shaking.delete(nameOf(socket));
    const isDistrusted = socket.getPeerX509Certificate() !== undefined && !socket.authorized;
    if (clientAuth === 'requested' && isDistrusted) {
      const remote = remoteOf(socket);
      socket.destroy();
      onRefused(
        remote,
        `got a client certificate that is not trusted (${String(socket.authorizationError)})`,
      );
      return;
    }
    onSocket(socket);
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    onRefused(remoteOf(socket), reasonOf(error));
    socket.destroy();
  });
  return {
    server,
    renew: (next) => server.setSecureContext(contextOf(next)),
    abandon() {
      for (const socket of shaking.values()) socket.destroy();
    },
  };
}

/** A client's side; `secureConnect` tells when the server's certificate has been found good. */
export function connectTls({ host, port }: Address, options: TlsConnect): tls.TLSSocket {
  // The name goes into the hello and is compared with the certificate. An address may not stand in a hello.
  const serverName = options.serverName ?? (isIP(host) === 0 ? host : undefined);
  const socket = tls.connect({
    host,
    port,
    ...(options.ca ? { ca: options.ca } : {}),
    ...(options.cert ? { cert: options.cert } : {}),
    ...(options.key ? { key: options.key } : {}),
    ...(serverName === undefined ? {} : { servername: serverName }),
    rejectUnauthorized: options.rejectUnauthorized,
    minVersion: 'TLSv1.2',
  });
  socket.setNoDelay(true);
  return socket;
}

/** The subject of a verified certificate, most specific name first; undefined without one. */
export function subjectOf(socket: NetSocket): string | undefined {
  if (!(socket instanceof tls.TLSSocket) || !socket.authorized) return undefined;
  return socket.getPeerX509Certificate()?.subject?.split('\n').reverse().join(',');
}

function contextOf(material: TlsMaterial): tls.SecureContextOptions {
  const options: tls.SecureContextOptions = {
    key: material.key,
    cert: material.cert,
    ...(material.ca ? { ca: material.ca } : {}),
    minVersion: 'TLSv1.2',
  };
  // Throws what is wrong before anything is taken over.
  tls.createSecureContext(options);
  return options;
}

function reasonOf(error: NodeJS.ErrnoException): string {
  const code = error.code ?? error.message;
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'got plain bytes on a TLS listener';
  }
  if (code === 'ERR_SSL_HTTP_REQUEST') return 'got an HTTP request on a TLS listener';
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'got no client certificate, want one';
  return `TLS handshake failed (${code})`;
}

function remoteOf(socket: NetSocket): Address {
  return { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
}

function nameOf(socket: NetSocket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
