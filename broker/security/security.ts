/** Everything about who may come in and do what, opened once at the start. */
import { join } from 'node:path';

import { z } from 'zod';

import type { BrokerConfig, ListenerSettings, SaslSettings } from '../config.ts';
import type { Cancel, Host } from '../host/host.ts';
import type { Listener, Socket, TlsListen } from '../host/net.ts';
import { aclAuthorizer } from './acl-authorizer.ts';
import { type Acls, openAcls } from './acls.ts';
import { allowAll, type Authorizer } from './authorizer.ts';
import { ConnectionAuthentication, type SaslServer } from './connection-authentication.ts';
import type { Exchange } from './exchange.ts';
import { oauthBearerExchange } from './oauthbearer.ts';
import { passwordCheck, plainExchange } from './plain.ts';
import { principalMapping } from './principal-mapping.ts';
import { scramExchange } from './scram.ts';
import { openScramUsers, type ScramUsers } from './scram-users.ts';
import { openTokenRules } from './token-rules.ts';
import { readTlsFiles, watchTlsFiles } from './tls-files.ts';

export interface Security {
  readonly authorizer: Authorizer;
  readonly scramUsers: ScramUsers;
  /** Undefined when no authorizer is configured. */
  readonly acls: Acls | undefined;
  /** @throws Error when its certificates cannot be used */
  entrance(listener: ListenerSettings): Promise<Entrance>;
  stop(): void;
}

/** What a listener needs to let clients in. */
export interface Entrance {
  readonly tls: TlsListen | undefined;
  /** Told of what listens now, to renew its certificates. */
  onListening(opened: readonly Listener[]): Promise<void>;
  /** Undefined when the certificate gives no name. */
  authentication(socket: Socket): ConnectionAuthentication | undefined;
}

/** Bytes of a server's part of a nonce, as base64: more than anybody guesses. */
const NONCE_BYTES = 24;

/** @throws Error when what was stored is damaged, or a file of the settings is missing */
export async function openSecurity(config: BrokerConfig, host: Host): Promise<Security> {
  const { security } = config;
  const scramUsers = await openScramUsers(
    host,
    join(config.dataDir, 'scram-users.json'),
    security.scramUsers,
  );
  const acls = security.authorizer
    ? await openAcls(host.files, join(config.dataDir, 'acls.json'))
    : undefined;
  const isRight = passwordCheck(await plainUsers(security, host));
  const watches: Cancel[] = [];
  const tokenRules = await openTokenRules(config.security.oauthBearer, host, watches);
  const verdicts = host.metrics.counter(
    'millrace_broker_authentications_total',
    'SASL authentications, by mechanism and verdict.',
  );
  const refusals = host.metrics.counter(
    'millrace_broker_tls_refusals_total',
    'Connections that ended before their TLS handshake was done.',
  );

  const exchanges: Record<SaslSettings['mechanisms'][number], () => Exchange> = {
    PLAIN: () => plainExchange(isRight),
    'SCRAM-SHA-256': () => scramExchange(scramUsers.server('SCRAM-SHA-256'), nonce()),
    OAUTHBEARER: () => oauthBearerExchange(tokenRules),
    'SCRAM-SHA-512': () => scramExchange(scramUsers.server('SCRAM-SHA-512'), nonce()),
  };
  const nonce = (): string => host.random.bytes(NONCE_BYTES).toString('base64');

  function saslServer({ mechanisms, connectionsMaxReauthMs }: SaslSettings): SaslServer {
    return {
      mechanisms: new Map(mechanisms.map((name) => [name, exchanges[name]])),
      connectionsMaxReauthMs,
      onOutcome: (mechanism, isAccepted) =>
        verdicts.add(1, { mechanism, verdict: isAccepted ? 'accepted' : 'refused' }),
    };
  }

  return {
    authorizer: acls
      ? aclAuthorizer(acls, { ...security, superUsers: new Set(security.superUsers) })
      : allowAll,
    scramUsers,
    acls,
    async entrance(listener) {
      const sasl = listener.sasl && saslServer(listener.sasl);
      const { tls } = listener;
      const nameOf = principalMapping(tls?.principalMappingRules ?? 'DEFAULT');
      return {
        tls: tls && {
          material: await readTlsFiles(host, tls),
          clientAuth: tls.clientAuth,
          onRefused(remote, reason) {
            refusals.add(1);
            host.log.warn({ remote: `${remote.host}:${remote.port}`, listener: listener.name }, reason);
          },
        },
        async onListening(opened) {
          if (!tls) return;
          const renew = (material: TlsListen['material']): void => {
            for (const one of opened) one.renew(material);
          };
          watches.push(await watchTlsFiles(host, tls, renew));
        },
        authentication({ subject }) {
          if (subject === undefined) return new ConnectionAuthentication(sasl, host.clock);
          const name = nameOf(subject);
          return name === undefined
            ? undefined
            : new ConnectionAuthentication(sasl, host.clock, `User:${name}`);
        },
      };
    },
    stop() {
      for (const cancel of watches) cancel();
    },
  };
}

const usersFile = z.record(z.string().min(1), z.string().min(1));

async function plainUsers(
  { plainUsers: users, plainUsersFile }: BrokerConfig['security'],
  { files }: Host,
): Promise<Map<string, string>> {
  const all = new Map(Object.entries(users));
  if (plainUsersFile === undefined) return all;
  const content = await files.readFile(plainUsersFile);
  let parsed: unknown;
  try {
    parsed = content && JSON.parse(content.toString('utf8'));
  } catch {
    parsed = undefined;
  }
  const checked = usersFile.safeParse(parsed);
  if (!checked.success) {
    throw new Error(`cannot read users from ${plainUsersFile}: want a JSON object from names to passwords`);
  }
  for (const [name, password] of Object.entries(checked.data)) all.set(name, password);
  return all;
}
