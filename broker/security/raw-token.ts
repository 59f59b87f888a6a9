/**
 * After SaslHandshake version 0 a frame is a token and nothing else, and so is its answer: librdkafka and other older
 * clients authenticate like this. There is no room for an error; a refusal closes the connection.
 */
import type { Timers } from '../host/host.ts';
import type { ConnectionView } from '../server/broker.ts';
import { CloseConnection } from '../server/handler.ts';
import { FAILURE_DELAY_MS } from './failure-delay.ts';

export async function rawToken(
  frame: Buffer,
  { authentication }: Pick<ConnectionView, 'authentication'>,
  timers: Timers,
): Promise<Buffer[]> {
  const { answer, close } = authentication.token(Buffer.from(frame));
  if (close !== undefined) {
    await timers.sleep(FAILURE_DELAY_MS);
    throw new CloseConnection(close);
  }
  const length = Buffer.alloc(4);
  length.writeInt32BE(answer.bytes.length);
  return [length, answer.bytes];
}
