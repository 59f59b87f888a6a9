/**
 * Why the log refuses. The code is Kafka's name for the error, so that handlers need no second table;
 * `retriable` is what Kafka's clients make of it.
 */
export const LOG_ERRORS = {
  /** The batch's bytes do not agree with its CRC or its own lengths, on arrival or on the disk. */
  CORRUPT_MESSAGE: { retriable: true },
  /** Over the topic's `max.message.bytes`, prefix included. */
  MESSAGE_TOO_LARGE: { retriable: false },
  /** Over the topic's `segment.bytes`. */
  RECORD_LIST_TOO_LARGE: { retriable: false },
  /** Not format v2. */
  UNSUPPORTED_FOR_MESSAGE_FORMAT: { retriable: false },
  /** The header contradicts itself or asks for what a client may not do. */
  INVALID_RECORD: { retriable: false },
  /** A record lies further from now than the topic allows. */
  INVALID_TIMESTAMP: { retriable: false },
  /** A codec number without a codec. */
  UNSUPPORTED_COMPRESSION_TYPE: { retriable: false },
  /** A gap in the producer's sequence, or a repeat older than its last five batches. */
  OUT_OF_ORDER_SEQUENCE_NUMBER: { retriable: false },
  /** The producer was replaced by one with a higher epoch. */
  INVALID_PRODUCER_EPOCH: { retriable: false },
  /** A marker of a transaction coordinator that was replaced since. */
  TRANSACTION_COORDINATOR_FENCED: { retriable: false },
  /** A transactional batch outside of a transaction that the coordinator knows, or another within one. */
  INVALID_TXN_STATE: { retriable: false },
  /** Below the start or above the end of the log. */
  OFFSET_OUT_OF_RANGE: { retriable: false },
  /** The topic was deleted. */
  UNKNOWN_TOPIC_OR_PARTITION: { retriable: true },
  TOPIC_ALREADY_EXISTS: { retriable: false },
  /** A partition count that does not grow the topic. */
  INVALID_PARTITIONS: { retriable: false },
  /** The disk refuses, or too much waits for it: nothing was appended, the client tries again. */
  KAFKA_STORAGE_ERROR: { retriable: true },
} as const satisfies Record<string, { retriable: boolean }>;

export type LogErrorCode = keyof typeof LOG_ERRORS;

/** A record of a refused batch, by its place in it. */
export interface RecordError {
  readonly batchIndex: number;
  readonly message: string;
}

export class LogError extends Error {
  override readonly name = 'LogError';
  readonly code: LogErrorCode;
  /** The records that are to blame, where it is single ones. */
  readonly recordErrors: readonly RecordError[];

  constructor(
    code: LogErrorCode,
    message: string,
    cause?: unknown,
    recordErrors: readonly RecordError[] = [],
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.recordErrors = recordErrors;
  }

  get retriable(): boolean {
    return LOG_ERRORS[this.code].retriable;
  }
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

export function topicGone({ topic, partition }: Place): LogError {
  const message = `cannot use ${topic}-${partition}: the topic was deleted`;
  return new LogError('UNKNOWN_TOPIC_OR_PARTITION', message);
}

export function outOfRange(
  { topic, partition, startOffset, endOffset }: Place & { startOffset: number; endOffset: number },
  offset: number,
): LogError {
  const message = `cannot read offset ${offset} of ${topic}-${partition}: want ${startOffset} to ${endOffset}`;
  return new LogError('OFFSET_OUT_OF_RANGE', message);
}
