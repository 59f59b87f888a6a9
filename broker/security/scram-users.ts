/** SCRAM credentials, durable: made at the start from the configuration, or over the wire. */
import { z } from 'zod';

import type { Host } from '../host/host.ts';
import { type Document, openDocument } from '../state/document.ts';
import {
  credentialOf,
  imaginedCredential,
  saltPassword,
  SCRAM_MECHANISMS,
  type ScramCredential,
  type ScramMechanism,
  type ScramServer,
} from './scram.ts';

const base64 = z.base64();
const credentialSchema = z.strictObject({
  user: z.string(),
  mechanism: z.enum(SCRAM_MECHANISMS),
  iterations: z.int().min(1),
  salt: base64,
  storedKey: base64,
  serverKey: base64,
});
const schema = z.strictObject({
  version: z.literal(1),
  /** From which users that do not exist get their seeming salt. */
  secret: base64,
  credentials: z.array(credentialSchema),
});
type Stored = z.infer<typeof schema>;

/** As they travel. */
export const MECHANISM_CODE = { 'SCRAM-SHA-256': 1, 'SCRAM-SHA-512': 2 } as const;

/** The file is written as a whole at every change. */
const CREDENTIALS_MAX = 10_000;
const SALT_BYTES = 24;

export interface ScramUser {
  readonly user: string;
  readonly mechanism: ScramMechanism;
}

export interface InitialScramUser {
  readonly name: string;
  readonly password: string;
  readonly iterations: number;
}

export class ScramUsers {
  private readonly document: Document<Stored>;
  private byName = new Map<string, Map<ScramMechanism, ScramCredential>>();

  constructor(document: Document<Stored>) {
    this.document = document;
    this.index();
  }

  get names(): string[] {
    return [...this.byName.keys()];
  }

  of(user: string): ReadonlyMap<ScramMechanism, ScramCredential> | undefined {
    return this.byName.get(user);
  }

  server(mechanism: ScramMechanism): ScramServer {
    return {
      mechanism,
      find: (name) => this.byName.get(name)?.get(mechanism),
      imagine: (name) =>
        imaginedCredential(mechanism, Buffer.from(this.document.value.secret, 'base64'), name),
    };
  }

  /** Resolves when it is durable. @throws Error when there are too many */
  async change(
    upserts: ReadonlyArray<ScramUser & { readonly credential: ScramCredential }>,
    deletions: readonly ScramUser[],
  ): Promise<void> {
    const gone = new Set([...upserts, ...deletions].map(keyOf));
    await this.document.update((now) => {
      const credentials = now.credentials.filter((one) => !gone.has(keyOf(one)));
      for (const { user, mechanism, credential } of upserts) {
        credentials.push({
          user,
          mechanism,
          iterations: credential.iterations,
          salt: credential.salt.toString('base64'),
          storedKey: credential.storedKey.toString('base64'),
          serverKey: credential.serverKey.toString('base64'),
        });
      }
      if (credentials.length > CREDENTIALS_MAX) {
        throw new TooManyCredentials(
          `cannot keep ${credentials.length} credentials, want ${CREDENTIALS_MAX}`,
        );
      }
      return { ...now, credentials };
    });
    this.index();
  }

  private index(): void {
    const byName = new Map<string, Map<ScramMechanism, ScramCredential>>();
    for (const { user, mechanism, iterations, salt, storedKey, serverKey } of this.document.value
      .credentials) {
      const ofUser = byName.get(user) ?? new Map<ScramMechanism, ScramCredential>();
      byName.set(user, ofUser);
      ofUser.set(mechanism, {
        iterations,
        salt: Buffer.from(salt, 'base64'),
        storedKey: Buffer.from(storedKey, 'base64'),
        serverKey: Buffer.from(serverKey, 'base64'),
      });
    }
    this.byName = byName;
  }
}

export class TooManyCredentials extends Error {
  override readonly name = 'TooManyCredentials';
}

/** `initial` users are made when they are missing: a change over the wire outlives a restart. */
export async function openScramUsers(
  { files, random }: Pick<Host, 'files' | 'random'>,
  path: string,
  initial: readonly InitialScramUser[],
): Promise<ScramUsers> {
  const empty: Stored = { version: 1, secret: random.bytes(32).toString('base64'), credentials: [] };
  const document = await openDocument(files, path, { schema, empty });
  const users = new ScramUsers(document);
  const missing = initial.flatMap(({ name, password, iterations }) =>
    SCRAM_MECHANISMS.filter((mechanism) => !users.of(name)?.has(mechanism)).map((mechanism) => {
      const salt = random.bytes(SALT_BYTES);
      const saltedPassword = saltPassword(mechanism, password, salt, iterations);
      return {
        user: name,
        mechanism,
        credential: credentialOf(mechanism, { saltedPassword, salt, iterations }),
      };
    }),
  );
  if (missing.length > 0) await users.change(missing, []);
  return users;
}

function keyOf({ user, mechanism }: ScramUser): string {
  return `${mechanism} ${user}`;
}
