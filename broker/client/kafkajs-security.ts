/**
 * TLS and SASL as kafkajs takes them. Its TLS options are given once and read at every connection, so they are filled
 * in whenever it asks where the brokers are, which it does before it connects anew. The mechanisms are ours: they read
 * passwords when they need them, and bound what a server may ask for.
 */
import type { AuthenticationProviderArgs, KafkaConfig as KafkajsConfig } from 'kafkajs';

import type { Host } from '../host/host.ts';
import { readClientTls } from './client-tls.ts';
import type { KafkaConfig, KafkaSasl, KafkaTls } from './kafka-config.ts';
import { login, loginError } from './login.ts';

export function kafkajsSecurity(
  { brokers, tls, sasl }: Pick<KafkaConfig, 'tls' | 'sasl'> & { readonly brokers: readonly string[] },
  host: Host,
): Pick<KafkajsConfig, 'brokers' | 'ssl' | 'sasl'> {
  return {
    ...(tls ? secured(brokers, tls, host) : { brokers: [...brokers] }),
    ...(sasl ? { sasl: mechanismOf(sasl, host) } : {}),
  };
}

function secured(
  brokers: readonly string[],
  tls: KafkaTls,
  host: Host,
): Pick<KafkajsConfig, 'brokers' | 'ssl'> {
  const ssl: Exclude<KafkajsConfig['ssl'], boolean | undefined> = {};
  return {
    ssl,
    brokers: async () => {
      const { ca, cert, key, serverName, rejectUnauthorized } = await readClientTls(host, tls);
      Object.assign(ssl, {
        ca,
        cert,
        key,
        rejectUnauthorized,
        minVersion: 'TLSv1.2',
        // A name that is there but undefined would take the place of the broker's own.
        ...(serverName === undefined ? {} : { servername: serverName }),
      });
      return [...brokers];
    },
  };
}

function mechanismOf(sasl: KafkaSasl, host: Host): NonNullable<KafkajsConfig['sasl']> {
  return {
    mechanism: sasl.mechanism,
    authenticationProvider: ({ saslAuthenticate }: AuthenticationProviderArgs) => ({
      authenticate: () =>
        login(sasl, host, async (token) => {
          const answer = await saslAuthenticate<Buffer>({
            request: { encode: () => withLength(token) },
            response: { decode: withoutLength, parse: (bytes) => bytes },
          }).catch((error: unknown) => {
            throw isRefusal(error) ? loginError(sasl, error.message) : error;
          });
          return answer ?? Buffer.alloc(0);
        }),
    }),
  };
}

/** kafkajs says what the broker said, but not of whom. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && 'type' in error && error.type === 'SASL_AUTHENTICATION_FAILED';
}

/** kafkajs carries tokens as they were before they had a request of their own: behind their length. */
function withLength(token: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(token.length);
  return Buffer.concat([length, token]);
}

function withoutLength(bytes: Buffer): Buffer {
  return bytes.subarray(4);
}
