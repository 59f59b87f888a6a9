/** Who we say we are: the exchange of the settings' mechanism, driven over whatever carries its tokens. */
import type { Host } from '../host/host.ts';
import { KafkaError } from './error.ts';
import type { KafkaSasl } from './kafka-config.ts';
import { type LoginStep, plainLogin } from './login-exchange.ts';
import { scramLogin } from './scram-login.ts';

/** Bytes of our part of a nonce, as base64: more than anybody guesses. */
const NONCE_BYTES = 24;

/** Sends one token and gives the server's answer to it. */
export type Carry = (token: Buffer) => Promise<Buffer>;

/** @throws KafkaError that names user and mechanism, never the password */
export async function login(sasl: KafkaSasl, host: Host, carry: Carry): Promise<void> {
  let step = firstStep(sasl, await passwordOf(sasl, host), host);
  while (step.type === 'send') step = step.next(await carry(step.token));
  if (step.type === 'failed') throw loginError(sasl, step.reason);
}

export function loginError({ username, mechanism }: KafkaSasl, reason: string): KafkaError {
  const message = `cannot log in as "${username}" with ${mechanism}: ${reason}`;
  return new KafkaError('SASL_AUTHENTICATION_FAILED', message, false);
}

/** @throws KafkaError when its file is not there or empty */
export async function passwordOf({ password, passwordFile }: KafkaSasl, { files }: Host): Promise<string> {
  if (passwordFile === undefined) return password!;
  const content = (await files.readFile(passwordFile))?.toString('utf8').replace(/\r?\n$/, '');
  if (content) return content;
  const reason = content === undefined ? 'there is no such file' : 'it is empty';
  throw new KafkaError('CLIENT', `cannot read the password from ${passwordFile}: ${reason}`, false);
}

function firstStep({ mechanism, username }: KafkaSasl, password: string, { random }: Host): LoginStep {
  if (mechanism === 'PLAIN') return plainLogin(username, password);
  const nonce = random.bytes(NONCE_BYTES).toString('base64');
  return scramLogin({ mechanism, username, password, nonce });
}
