import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * `localhost` is 127.0.0.1 and ::1 on the same port; a machine without IPv6 is left with the first. Port 0 takes a
 * free port. Throws "cannot listen …" when the port is taken.
 */
export async function listen(
  make: () => Server,
  host: string,
  port: number,
): Promise<{ servers: Server[]; port: number }> {
  const first = make();
  const taken = await listenOn(first, host === 'localhost' ? '127.0.0.1' : host, port);
  if (host !== 'localhost') return { servers: [first], port: taken };
  const second = make();
  try {
    await listenOn(second, '::1', taken);
    return { servers: [first, second], port: taken };
  } catch (error) {
    const { code } = (error as Error).cause as NodeJS.ErrnoException;
    // Port 0 chose one that is free on 127.0.0.1 only: as good as a machine without IPv6.
    if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT' || (code === 'EADDRINUSE' && port === 0)) {
      return { servers: [first], port: taken };
    }
    first.close();
    throw error;
  }
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const got = cause.code === 'EADDRINUSE' ? 'a port that another process listens on' : cause.message;
      reject(
        new Error(`cannot listen for ClickHouse HTTP on ${host}:${port}: got ${got}, want a free port`, {
          cause,
        }),
      );
    };
    server.once('error', fail);
    server.listen({ host, port }, () => {
      server.off('error', fail);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
