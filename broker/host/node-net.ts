import * as net from 'node:net';

import type { Address, Net, Socket, SocketEvents } from './net.ts';
import { connectTls, subjectOf, tlsServer } from './node-tls.ts';
import { SOCKET_OPTIONS } from './socket-options.ts';

/** A few times what one read of a socket brings when its sender is fast. */
const LANDING_BYTES = 256 * 1024;

export const nodeNet: Net = {
  listen(address, onSocket, tls) {
    return new Promise((resolve, reject) => {
      const secure = tls && tlsServer(tls, (socket) => onSocket(socketOf(socket)));
      const server =
        secure?.server ??
        net.createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, (accepted) =>
          onSocket(readingInPlace(accepted)),
        );
      server.once('error', reject);
      server.listen({ host: address.host, port: address.port }, () => {
        server.off('error', reject);
        resolve({
          address: addressOf(server.address() as net.AddressInfo),
          renew: (material) => secure?.renew(material),
          close: () =>
            new Promise((done) => {
              server.close(() => done());
              secure?.abandon();
            }),
        });
      });
    });
  },
  connect(address, timeoutMs, tls) {
    return new Promise((resolve, reject) => {
      const socket = tls
        ? connectTls(address, tls)
        : net.connect({ host: address.host, port: address.port, noDelay: true });
      const fail = (error: Error): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(error);
      };
      const timer = setTimeout(() => {
        fail(
          Object.assign(
            new Error(`cannot connect to ${address.host}:${address.port}: no answer in ${timeoutMs} ms`),
            {
              code: 'ETIMEDOUT',
            },
          ),
        );
      }, timeoutMs);
      socket.once('error', fail);
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer);
        socket.off('error', fail);
        resolve(socketOf(socket));
      });
    });
  },
};

function addressOf({ address, port }: { address: string; port: number }): Address {
  return { host: address, port };
}

/** All sockets read into it, each time before somebody is told: nothing is allocated for bytes that are copied on. */
const LANDING = Buffer.allocUnsafeSlow(LANDING_BYTES);

/** What Node keeps of an accepted socket, as `net.Socket` takes it over; undocumented, so it may be absent. */
interface Internals {
  _handle?: object | null;
  _server?: unknown;
}

/**
 * Node reads into buffers of the caller's (`onread`) for sockets that one makes oneself, not for accepted ones. So a new
 * socket takes over the system's. Where that is impossible, Node allocates 64 KiB for each read.
 */
export function readingInPlace(accepted: net.Socket): Socket {
  const { _handle: handle, _server: server } = accepted as Internals;
  if (!handle) {
    accepted.resume();
    return socketOf(accepted);
  }
  let onData: SocketEvents['data'] = () => {};
  const options = {
    handle,
    onread: {
      buffer: LANDING,
      callback(bytes: number, buffer: Uint8Array) {
        onData((buffer as Buffer).subarray(0, bytes));
        return true;
      },
    },
  };
  const socket = new net.Socket(options as net.SocketConstructorOpts);
  // The server counts its sockets until they are closed.
  (socket as Internals)._server = server;
  const left = accepted as Internals;
  left._handle = null;
  left._server = null;
  return socketOf(socket, (fn) => {
    onData = fn;
  });
}

/** `listen`: how to be told of data where it does not come as an event. */
function socketOf(
  socket: net.Socket,
  listen = (fn: SocketEvents['data']) => void socket.on('data', fn),
): Socket {
  return {
    remote: { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
    local: { host: socket.localAddress ?? '', port: socket.localPort ?? 0 },
    subject: subjectOf(socket),
    start(events) {
      let failure: Error | undefined;
      listen((chunk) => events.data(chunk));
      socket.on('drain', () => events.drain());
      socket.on('error', (error) => {
        failure = error;
      });
      socket.on('close', () => events.close(failure));
    },
    write(chunks, done) {
      const last = chunks.length - 1;
      if (socket.destroyed || last < 0) {
        done?.();
        return true;
      }
      socket.cork();
      for (let i = 0; i < last; i += 1) socket.write(chunks[i]!);
      const below = socket.write(chunks[last]!, done);
      socket.uncork();
      return below;
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
}
