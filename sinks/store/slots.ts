import { refuse } from './errors.ts';

/** A bounded number of statements at a time, and a bounded queue before them, first come first served. */
export interface Slots {
  /** Resolves with the call that gives the slot back; rejects when too many wait or the signal aborts. */
  take(signal: AbortSignal): Promise<() => void>;
  running(): number;
  waiting(): number;
}

export function createSlots(runningMax: number, waitingMax: number): Slots {
  let running = 0;
  const queue: Array<() => void> = [];
  const release = (): void => {
    const next = queue.shift();
    if (next) next();
    else running -= 1;
  };
  const once = (): (() => void) => {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      release();
    };
  };
  return {
    take(signal) {
      if (running < runningMax) {
        running += 1;
        return Promise.resolve(once());
      }
      if (queue.length >= waitingMax) {
        const reason = `cannot take the statement: got ${queue.length} waiting, want at most ${waitingMax}`;
        return Promise.reject(refuse.busy(reason));
      }
      return new Promise((resolve, reject) => {
        const start = (): void => {
          signal.removeEventListener('abort', leave);
          resolve(once());
        };
        const leave = (): void => {
          queue.splice(queue.indexOf(start), 1);
          reject(refuse.stopping('the client went away while its statement waited'));
        };
        queue.push(start);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
    running: () => running,
    waiting: () => queue.length,
  };
}
