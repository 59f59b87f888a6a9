/**
 * GetTelemetrySubscriptions (71), version 0: which metrics this client is to push, and how often (KIP-714). A client
 * without an instance id is given one.
 */
import { handler } from '../server/handler.ts';
import { TELEMETRY_BYTES_MAX } from '../telemetry/telemetry.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { getTelemetrySubscriptions } from '../wire/schemas/index.ts';

/** zstd, lz4, gzip, snappy: the preferred first. */
const COMPRESSION_TYPES = [4, 3, 1, 2];

export default handler({
  api: getTelemetrySubscriptions,
  versions: [0, 0],
  handle({ clientInstanceId }, context) {
    const { telemetry, host } = context.broker;
    const id = clientInstanceId === ZERO_UUID ? host.random.uuid() : clientInstanceId;
    const { error, subscription } = telemetry.get(id, context);
    const isTold = error === undefined;
    return {
      errorCode: CODE[error ?? 'NONE'],
      clientInstanceId: id,
      subscriptionId: isTold ? subscription.id : 0,
      acceptedCompressionTypes: isTold ? COMPRESSION_TYPES : [],
      pushIntervalMs: isTold ? subscription.pushIntervalMs : 0,
      telemetryMaxBytes: isTold ? TELEMETRY_BYTES_MAX : 0,
      deltaTemporality: isTold,
      requestedMetrics: isTold ? subscription.metrics : [],
    };
  },
});
