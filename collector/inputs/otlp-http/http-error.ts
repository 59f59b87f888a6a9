/** An answer other than 200, with the sentence for the sender. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly retryAfterS: number | undefined;

  constructor(status: number, message: string, retryAfterS?: number) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

/** gRPC status numbers for the bodies (google.rpc.Status). */
export function rpcCode(status: number): number {
  switch (status) {
    case 404:
    case 405:
      return 12; // UNIMPLEMENTED
    case 413:
    case 429:
      return 8; // RESOURCE_EXHAUSTED
    case 503:
      return 14; // UNAVAILABLE
    default:
      return 3; // INVALID_ARGUMENT
  }
}

/** Reasons for the counter of refused requests. */
export function reasonOf(status: number): string {
  const reasons: Readonly<Record<number, string>> = {
    400: 'malformed',
    404: 'not_found',
    413: 'too_large',
    415: 'content_type',
    429: 'overload',
    503: 'broker_away',
  };
  return reasons[status] ?? 'other';
}
