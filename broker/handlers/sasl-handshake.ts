/**
 * SaslHandshake (17), versions 0 to 1: which mechanism; begins authentication, and later renews it (KIP-368). An
 * unknown mechanism is answered with those that are enabled, and the connection closes.
 *
 * v0: the tokens follow as frames of their own, without a request around them. v1: in SaslAuthenticate.
 */
import { handler } from '../server/handler.ts';
import { saslHandshake } from '../wire/schemas/index.ts';

export default handler({
  api: saslHandshake,
  versions: [0, 1],
  handle({ mechanism }, { connection, version }) {
    const { authentication } = connection;
    const { answer, close } = authentication.handshake(version, mechanism);
    if (close !== undefined) connection.endAfterAnswer(close);
    return { errorCode: answer.errorCode, mechanisms: authentication.mechanisms };
  },
});
