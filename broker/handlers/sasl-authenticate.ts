/**
 * SaslAuthenticate (36), versions 0 to 2: one token of the mechanism chosen before. A refusal is answered after a
 * moment and the connection closes; its message does not tell whether the user exists. v1 (KIP-368) tells for how long
 * the session holds, 0 is for ever.
 */
import { FAILURE_DELAY_MS } from '../security/failure-delay.ts';
import { handler } from '../server/handler.ts';
import { saslAuthenticate } from '../wire/schemas/index.ts';

export default handler({
  api: saslAuthenticate,
  versions: [0, 2],
  async handle({ authBytes }, { broker, connection }) {
    // A view into the request's frame would keep it in memory.
    const { answer, close } = connection.authentication.token(Buffer.from(authBytes));
    if (close !== undefined) {
      await broker.host.timers.sleep(FAILURE_DELAY_MS);
      connection.endAfterAnswer(close);
    }
    return {
      errorCode: answer.errorCode,
      errorMessage: answer.message,
      authBytes: answer.bytes,
      sessionLifetimeMs: answer.sessionLifetimeMs,
    };
  },
});
