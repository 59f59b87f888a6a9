/** What time brings: transactions that took too long, markers tried again, ids that nobody uses. */
import { fence } from './end.ts';
import { isOnItsWay, mark, store } from './progress.ts';
import type { Step } from './transaction.ts';
import { isAtRest, isPreparing, moved } from './transaction-value.ts';

export function onTick(at: Step, freshProducerId: number | undefined): void {
  const { value } = at.transaction;
  if (isOnItsWay(at)) return;
  if (isPreparing(value)) {
    mark(at);
  } else if (value.state === 'Ongoing' && at.nowMs - value.startMs > value.timeoutMs) {
    at.effects.push({ kind: 'log', message: `aborted, since it lasted over ${value.timeoutMs} ms` });
    fence(at, freshProducerId, []);
  }
}

/** Markers that are there already are appended again, which changes nothing. */
export function onResume(at: Step): void {
  if (!isPreparing(at.transaction.value)) return;
  at.effects.push({ kind: 'log', message: `${at.transaction.value.state} found at the start, ending it` });
  mark(at);
}

export function onExpire(at: Step, afterMs: number): void {
  const { value } = at.transaction;
  if (isOnItsWay(at) || !isAtRest(value) || at.nowMs - value.updatedMs < afterMs) return;
  at.effects.push({ kind: 'log', message: `forgotten, since nobody used it for ${afterMs} ms` });
  store(at, moved(value, { state: 'Dead', updatedMs: at.nowMs }));
}
