/**
 * What a Kafka client call rejects with: Kafka's name of the error (`MESSAGE_TOO_LARGE`), or one of ours for
 * what no broker answered (`CONNECTION`, `TIMEOUT`, `CLOSED`, `NOT_ASSIGNED`, `CLIENT`).
 */
export class KafkaError extends Error {
  override readonly name = 'KafkaError';
  readonly code: string;
  /** Whether the same call may succeed later. */
  readonly retriable: boolean;

  constructor(code: string, message: string, retriable: boolean, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.retriable = retriable;
  }
}
