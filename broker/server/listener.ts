import type { Address, Listener, Net, Socket, TlsListen } from '../host/net.ts';
import { nameOf } from './connection.ts';

/** Free ports of one family that are taken on the other: how often to look for another pair. */
const PAIR_ATTEMPTS = 20;

/**
 * Listens on `host`; `localhost` means 127.0.0.1 and ::1 with the same port, since clients resolve it to either.
 * A machine without IPv6 has the first alone. @throws Error that names address, cause and wish
 */
export async function listen(
  net: Net,
  { host, port }: Address,
  onSocket: (socket: Socket) => void,
  tls?: TlsListen,
): Promise<Listener[]> {
  if (host !== 'localhost') return [await bind(net, { host, port }, onSocket, tls)];
  for (let attempt = 1; ; attempt += 1) {
    const first = await bind(net, { host: '127.0.0.1', port }, onSocket, tls);
    try {
      return [first, await net.listen({ host: '::1', port: first.address.port }, onSocket, tls)];
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT' || code === 'EINVAL') return [first];
      await first.close();
      if (port === 0 && code === 'EADDRINUSE' && attempt < PAIR_ATTEMPTS) continue;
      throw cannotListen({ host: '::1', port: first.address.port }, error);
    }
  }
}

async function bind(
  net: Net,
  address: Address,
  onSocket: (socket: Socket) => void,
  tls: TlsListen | undefined,
): Promise<Listener> {
  try {
    return await net.listen(address, onSocket, tls);
  } catch (error) {
    throw cannotListen(address, error);
  }
}

function cannotListen(address: Address, cause: unknown): Error {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const want =
    code === 'EADDRINUSE' ? 'a port that no other process uses' : 'an address that may be listened on';
  return new Error(`cannot listen on ${nameOf(address)}: got ${code}, want ${want}`, { cause });
}
