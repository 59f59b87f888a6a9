import { saltPassword, type ScramMechanism } from '../../broker/security/scram.ts';
import { saslAuthenticate, saslHandshake } from '../../broker/wire/schemas/index.ts';
import type { RawClient } from './raw-client.ts';
import { createHash, createHmac } from 'node:crypto';

export function plainToken(name: string, password: string, authorizationId = ''): Buffer {
  return Buffer.from(`${authorizationId}\0${name}\0${password}`);
}

/** Authenticates with PLAIN; the broker's last answer. */
export async function plain(client: RawClient, name: string, password: string) {
  await client.call(saslHandshake, 1, { mechanism: 'PLAIN' });
  return client.call(saslAuthenticate, 2, { authBytes: plainToken(name, password) });
}

/** Authenticates with SCRAM; the broker's last answer. */
export async function scram(client: RawClient, mechanism: ScramMechanism, name: string, password: string) {
  const hash = mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512';
  await client.call(saslHandshake, 1, { mechanism });
  const bare = `n=${name},r=clientnonce`;
  const challenge = await client.call(saslAuthenticate, 2, { authBytes: Buffer.from(`n,,${bare}`) });
  if (challenge.errorCode !== 0) return challenge;
  const got = /^r=(.*),s=(.*),i=(\d+)$/.exec(challenge.authBytes.toString())!;
  const salted = saltPassword(mechanism, password, Buffer.from(got[2]!, 'base64'), Number(got[3]));
  const clientKey = createHmac(hash, salted).update('Client Key').digest();
  const storedKey = createHash(hash).update(clientKey).digest();
  const withoutProof = `c=biws,r=${got[1]}`;
  const signature = createHmac(hash, storedKey)
    .update(`${bare},${challenge.authBytes.toString()},${withoutProof}`)
    .digest();
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!)).toString('base64');
  return client.call(saslAuthenticate, 2, { authBytes: Buffer.from(`${withoutProof},p=${proof}`) });
}
