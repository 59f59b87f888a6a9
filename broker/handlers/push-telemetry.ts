/** PushTelemetry (72), version 0: metrics of a client, as OTLP MetricsData, compressed or not (KIP-714). */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { pushTelemetry } from '../wire/schemas/index.ts';

export default handler({
  api: pushTelemetry,
  versions: [0, 0],
  async handle({ clientInstanceId, subscriptionId, terminating, compressionType, metrics }, context) {
    if (clientInstanceId === ZERO_UUID) return { errorCode: CODE.INVALID_REQUEST };
    const push = { subscriptionId, terminating, compressionType, bytes: metrics.length };
    const error = await context.broker.telemetry.push(clientInstanceId, push, metrics, context);
    return { errorCode: CODE[error ?? 'NONE'] };
  },
});
