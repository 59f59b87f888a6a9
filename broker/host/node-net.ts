import * as net from 'node:net';

import type { Address, Net, Socket, SocketEvents } from './net.ts';
import { connectTls, subjectOf, tlsServer } from './node-tls.ts';
import { PacedWrites } from './paced-writes.ts';
import { SOCKET_OPTIONS } from './socket-options.ts';
import { TurnShare } from './turn-share.ts';

/** A few times what one read of a socket brings when its sender is fast. */
const LANDING_BYTES = 256 * 1024;
/**
 * Of all sockets together. A socket that is filled as fast as it is read is read 32 times a turn, and each megabyte costs
 * one or two milliseconds by the time that it is checked and stored.
 */
const READ_BYTES_PER_TURN = 512 * 1024;
const WRITTEN_BYTES_PER_TURN = 2 * 1024 * 1024;

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
const READS = new TurnShare(READ_BYTES_PER_TURN);
const WRITES = new TurnShare(WRITTEN_BYTES_PER_TURN);

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
  const reading = { isPaused: false, isResting: false };
  const options = {
    handle,
    onread: {
      buffer: LANDING,
      callback(bytes: number, buffer: Uint8Array) {
        READS.spend(bytes);
        onData((buffer as Buffer).subarray(0, bytes));
        if (READS.isLeft) return true;
        // Node reads no more until it is told to.
        reading.isResting = true;
        READS.wait(() => {
          reading.isResting = false;
          if (!reading.isPaused) socket.resume();
        });
        return false;
      },
    },
  };
  const socket = new net.Socket(options as net.SocketConstructorOpts);
  // The server counts its sockets until they are closed.
  (socket as Internals)._server = server;
  const left = accepted as Internals;
  left._handle = null;
  left._server = null;
  return socketOf(socket, {
    listen: (fn) => {
      onData = fn;
    },
    pause() {
      reading.isPaused = true;
      socket.pause();
    },
    resume() {
      reading.isPaused = false;
      if (!reading.isResting) socket.resume();
    },
  });
}

/** How a socket's bytes come. */
interface Source {
  readonly listen: (fn: SocketEvents['data']) => void;
  readonly pause: () => void;
  readonly resume: () => void;
}

function asEvents(socket: net.Socket): Source {
  return {
    listen: (fn) => void socket.on('data', fn),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}

function socketOf(socket: net.Socket, source: Source = asEvents(socket)): Socket {
  let onDrain = (): void => {};
  const writes = new PacedWrites(socket, WRITES, () => onDrain());
  return {
    remote: { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
    local: { host: socket.localAddress ?? '', port: socket.localPort ?? 0 },
    subject: subjectOf(socket),
    start(events) {
      let failure: Error | undefined;
      source.listen((chunk) => events.data(chunk));
      onDrain = () => events.drain();
      socket.on('error', (error) => {
        failure = error;
      });
      socket.on('close', () => events.close(failure));
    },
    write: (chunks, done) => writes.write(chunks, done),
    pause: source.pause,
    resume: source.resume,
    end: () => writes.end(),
    destroy: () => void socket.destroy(),
  };
}
