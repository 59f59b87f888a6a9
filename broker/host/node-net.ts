import * as net from 'node:net';

import type { Address, Net, Socket } from './net.ts';
import { connectTls, subjectOf, tlsServer } from './node-tls.ts';
import { SOCKET_OPTIONS } from './socket-options.ts';

export const nodeNet: Net = {
  listen(address, onSocket, tls) {
    return new Promise((resolve, reject) => {
      const secure = tls && tlsServer(tls, (socket) => onSocket(socketOf(socket)));
      const server =
        secure?.server ?? net.createServer(SOCKET_OPTIONS, (socket) => onSocket(socketOf(socket)));
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

function socketOf(socket: net.Socket): Socket {
  return {
    remote: { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
    local: { host: socket.localAddress ?? '', port: socket.localPort ?? 0 },
    subject: subjectOf(socket),
    start(events) {
      let failure: Error | undefined;
      socket.on('data', (chunk: Buffer) => events.data(chunk));
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
