/** Certificates made on the spot, since Node makes none: just enough DER for tests of TLS. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly privateKey: KeyObject;
  /** The subject as DER. */
  readonly name: Buffer;
}

/** Attribute and value in the order of the certificate: from the general to the special. */
export type Subject = ReadonlyArray<readonly ['C' | 'O' | 'OU' | 'CN', string]>;

let serial = 0;

/** Signed by itself, and able to sign others. */
export function authority(subject: Subject = [['CN', 'Test CA']]): Certificate {
  return make(subject, undefined, true);
}

/** For localhost and both loopback addresses. */
export function certificate(subject: Subject, issuer: Certificate): Certificate {
  return make(subject, issuer, false);
}

function make(subject: Subject, issuer: Certificate | undefined, isAuthority: boolean): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = distinguishedName(subject);
  serial += 1;
  const algorithm = sequence(oid('2a8648ce3d040302'));
  const names = Buffer.concat([
    tagged(0x82, Buffer.from('localhost')),
    tagged(0x87, Buffer.from([127, 0, 0, 1])),
    tagged(0x87, Buffer.concat([Buffer.alloc(15), Buffer.from([1])])),
  ]);
  const extensions = sequence(
    sequence(oid('551d13'), octets(sequence(...(isAuthority ? [tagged(0x01, Buffer.from([0xff]))] : [])))),
    sequence(oid('551d11'), octets(tagged(0x30, names))),
  );
  const body = sequence(
    tagged(0xa0, integer(2)),
    integer(serial),
    algorithm,
    issuer?.name ?? name,
    sequence(tagged(0x17, Buffer.from('200101000000Z')), tagged(0x18, Buffer.from('20991231235959Z'))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, extensions),
  );
  const signature = sign('sha256', body, issuer?.privateKey ?? privateKey);
  const der = sequence(body, algorithm, tagged(0x03, Buffer.concat([Buffer.alloc(1), signature])));
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    privateKey,
    name,
  };
}

const ATTRIBUTES = { C: '550406', O: '55040a', OU: '55040b', CN: '550403' } as const;

function distinguishedName(subject: Subject): Buffer {
  return sequence(
    ...subject.map(([attribute, value]) =>
      tagged(0x31, sequence(oid(ATTRIBUTES[attribute]), tagged(0x0c, Buffer.from(value)))),
    ),
  );
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(length);
  return Buffer.concat([Buffer.from([tag, 0x82]), size, content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}

function octets(content: Buffer): Buffer {
  return tagged(0x04, content);
}

function integer(value: number): Buffer {
  // Two bytes from 128, since the first bit is the sign; tests make no more than some hundred.
  return tagged(0x02, Buffer.from(value < 128 ? [value] : [value >> 8, value & 0xff]));
}
