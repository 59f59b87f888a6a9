/** Which ways in there are, and whether they may be opened as they are. */
import type { BrokerConfig, ListenerSettings } from '../config.ts';

type Config = Pick<
  BrokerConfig,
  'host' | 'port' | 'advertisedHost' | 'listeners' | 'allowPlaintextBeyondLoopback'
>;

/** Those of the settings, or the one that host and port make. */
export function listenersOf({ host, port, advertisedHost, listeners }: Config): readonly ListenerSettings[] {
  return listeners ?? [{ name: 'PLAINTEXT', host, port, protocol: 'PLAINTEXT', advertisedHost }];
}

/** Why the broker may not start with these listeners; undefined when it may. */
export function exposure(config: Config): string | undefined {
  if (config.allowPlaintextBeyondLoopback) return undefined;
  const open = listenersOf(config).find(
    ({ protocol, host }) => !protocol.endsWith('SSL') && !isLoopback(host),
  );
  if (!open) return undefined;
  return (
    `cannot listen on ${open.host}: got ${open.protocol} for listener ${open.name} beyond the loopback, ` +
    'want SSL or SASL_SSL with `tls`; or, where the network is protected otherwise, ' +
    '`allowPlaintextBeyondLoopback: true`'
  );
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
