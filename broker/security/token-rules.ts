/** The rules for tokens, with the keys of a file that is read again now and then: issuers change their keys. */
import type { BrokerConfig } from '../config.ts';
import type { Cancel, Host } from '../host/host.ts';
import { readKeySet, type TokenKey, type TokenRules } from './jwt.ts';

/** @throws Error when the key set cannot be read at the start; later the old one stays and the log says so */
export async function openTokenRules(
  { jwksFile, jwksReloadIntervalMs, issuer, audience, ...rest }: BrokerConfig['security']['oauthBearer'],
  host: Host,
  watches: Cancel[],
): Promise<() => TokenRules> {
  let keys: readonly TokenKey[] = [];
  const rules = (): TokenRules => ({ ...rest, issuer, audience, keys });
  if (jwksFile === undefined) return rules;
  const read = async (): Promise<void> => {
    const content = await host.files.readFile(jwksFile);
    if (!content) throw new Error(`cannot read ${jwksFile}: there is no such file`);
    keys = readKeySet(content.toString('utf8'));
  };
  await read();
  const again = (): void => {
    read().catch((error: unknown) => {
      host.log.error({ jwksFile, err: error }, 'cannot use the key set; the old one stays');
    });
  };
  watches.push(host.timers.every(jwksReloadIntervalMs, again));
  return rules;
}
