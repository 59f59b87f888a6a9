/** What a part says about itself: structured fields first, then one sentence. pino satisfies it. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Says nothing: for tests and for commands whose output is their result. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
