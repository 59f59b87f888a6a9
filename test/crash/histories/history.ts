/**
 * What clients did and saw, as they saw it themselves: operations of sends and polls, each of which went well, failed
 * for certain, or has an unknown end. Every value is sent once in the whole history, so that whoever reads it knows
 * who wrote it.
 */
export type Outcome = 'ok' | 'failed' | 'unknown';

export interface Send {
  readonly kind: 'send';
  readonly partition: number;
  readonly value: string;
  /** What the acknowledgement said; absent when there was none. */
  readonly offset?: number | undefined;
}

export interface Polled {
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
}

/** Records in the order in which the client handed them out. */
export interface Poll {
  readonly kind: 'poll';
  readonly records: readonly Polled[];
}

/**
 * What a reader asked for and got. `leaking`: it asked for committed records, and its client hands over some aborted
 * ones as well, so that what it read is no proof of a commit, nor an aborted record in it a fault of the broker.
 */
export type Isolation = 'read_committed' | 'read_uncommitted' | 'leaking';

/** One reader from one placement to the next: whoever seeks, or starts again somewhere else, is a new session. */
export interface Session {
  readonly id: string;
  readonly by: 'assign' | 'subscribe';
  readonly isolation: Isolation;
}

export interface Operation {
  /** Who does one operation after another. */
  readonly process: string;
  readonly startMs: number;
  readonly endMs: number;
  /** `failed` only where the end is certain: aborted, or never asked to commit. */
  readonly outcome: Outcome;
  readonly transactional: boolean;
  readonly steps: ReadonlyArray<Send | Poll>;
  /** Of its polls. */
  readonly session?: Session | undefined;
  /** The group whose positions behind its polls are part of the transaction. */
  readonly group?: string | undefined;
}

export interface History {
  readonly operations: readonly Operation[];
  /** The last polls read every partition to its end. */
  readonly complete: boolean;
}

export function sends({ steps }: Operation): Send[] {
  return steps.filter((step) => step.kind === 'send');
}

export function polls({ steps }: Operation): Poll[] {
  return steps.filter((step) => step.kind === 'poll');
}

/** Records of all its polls, in order. */
export function polled(operation: Operation): Polled[] {
  return polls(operation).flatMap(({ records }) => records);
}
