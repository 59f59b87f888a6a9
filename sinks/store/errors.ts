/**
 * ClickHouse's error form and the HTTP status that a server gives with each code, as far as clients tell them
 * apart: 4xx is a fault of the request, 5xx may pass.
 */
export class StoreError extends Error {
  readonly code: number;
  readonly codeName: string;

  constructor(code: number, codeName: string, reason: string) {
    super(`Code: ${code}. DB::Exception: ${reason}. (${codeName})`);
    this.code = code;
    this.codeName = codeName;
  }
}

export const refuse = {
  badRequest: (reason: string) => new StoreError(36, 'BAD_ARGUMENTS', reason),
  syntax: (reason: string) => new StoreError(62, 'SYNTAX_ERROR', reason),
  absent: (reason: string) => new StoreError(48, 'NOT_IMPLEMENTED', reason),
  readOnly: (reason: string) => new StoreError(164, 'READONLY', reason),
  denied: (reason: string) => new StoreError(497, 'ACCESS_DENIED', reason),
  password: (reason: string) => new StoreError(516, 'AUTHENTICATION_FAILED', reason),
  busy: (reason: string) => new StoreError(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', reason),
  tooLarge: (reason: string) => new StoreError(307, 'TOO_MANY_BYTES', reason),
  cannotDecompress: (reason: string) => new StoreError(271, 'CANNOT_DECOMPRESS', reason),
  stopping: (reason: string) => new StoreError(236, 'ABORTED', reason),
};

const STATUS: ReadonlyMap<number, number> = new Map([
  ...statuses(
    400,
    [
      6, 7, 26, 27, 36, 38, 41, 43, 44, 53, 62, 70, 72, 73, 115, 108, 117, 130, 131, 158, 190, 271, 321, 349,
      386, 441, 456, 457, 472,
    ],
  ),
  ...statuses(401, [194]),
  ...statuses(403, [164, 192, 193, 497, 516]),
  ...statuses(404, [16, 46, 47, 50, 60, 81, 218]),
  ...statuses(408, [159]),
  ...statuses(413, [307, 396]),
  ...statuses(501, [48]),
  ...statuses(503, [202, 236, 439]),
]);

/** Everything unlisted is the server's own trouble, which may pass: 500. */
export function httpStatus(code: number): number {
  return STATUS.get(code) ?? 500;
}

/** The engine's message names its code first; without one it is an internal error (LOGICAL_ERROR is 49). */
export function codeOf(message: string): number {
  const match = /^Code: (\d+)\./.exec(message);
  return match ? Number(match[1]) : 49;
}

function statuses(status: number, codes: readonly number[]): Array<[number, number]> {
  return codes.map((code) => [code, status]);
}
