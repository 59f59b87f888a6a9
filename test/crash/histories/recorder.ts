import type { Operation } from './history.ts';

/** Collects operations as they end, and gives out values that nobody else sends. */
export class Recorder {
  readonly operations: Operation[] = [];
  #values = 0;

  /** No value of another recorder begins like its process. */
  value(process: string): string {
    this.#values += 1;
    return `${process}.${this.#values}`;
  }

  /** Milliseconds since 1970, since clients in other processes have a clock of their own. */
  nowMs(): number {
    return performance.timeOrigin + performance.now();
  }

  add(operation: Omit<Operation, 'endMs'>): void {
    this.operations.push({ ...operation, endMs: this.nowMs() });
  }
}
