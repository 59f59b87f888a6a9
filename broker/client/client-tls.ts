/** The files of a client's TLS settings, looked at before they are used: what is wrong is said with the file's name. */
import { createPrivateKey, X509Certificate } from 'node:crypto';

import type { Host } from '../host/host.ts';
import type { TlsConnect } from '../host/net.ts';
import { KafkaError } from './error.ts';
import type { KafkaTls } from './kafka-config.ts';

/** @throws KafkaError */
export async function readClientTls({ files }: Host, settings: KafkaTls): Promise<TlsConnect> {
  const read = async (path: string | undefined, want: string, check: (content: Buffer) => unknown) => {
    if (path === undefined) return undefined;
    const content = await files.readFile(path);
    if (content === undefined) throw unusable(path, 'there is no such file');
    try {
      check(content);
    } catch (error) {
      throw unusable(path, `want ${want} as PEM`, error);
    }
    return content;
  };
  const ca = await read(settings.ca, 'certificates', (pem) => new X509Certificate(pem));
  const cert = await read(settings.cert, 'a certificate', (pem) => new X509Certificate(pem));
  const key = await read(settings.key, 'a private key without a passphrase', createPrivateKey);
  if (cert && key && !new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw unusable(settings.key!, `it is not the key of ${settings.cert!}`);
  }
  const { serverName, rejectUnauthorized } = settings;
  return { ca, cert, key, serverName, rejectUnauthorized };
}

function unusable(path: string, reason: string, cause?: unknown): KafkaError {
  // The cause of OpenSSL may quote the file, so only our words are in the message.
  return new KafkaError('CLIENT', `cannot use ${path}: ${reason}`, false, cause);
}
