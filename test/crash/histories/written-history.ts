import type { History, Isolation, Operation, Outcome, Poll, Send, Session } from './history.ts';

const ISOLATIONS: Record<string, Isolation> = { uncommitted: 'read_uncommitted', leaking: 'leaking' };

/**
 * A history as tests write it, an operation a line: who, how it ended, what it is, what it did.
 *
 *     w ok txn w0:a@0 w1:b@1        sends a and b to partitions 0 and 1, where they got these offsets
 *     c ok txn:g r0:a@0 w0:c        polls a, sends c, and commits its position in group g
 *     r ok assign r0:a@0 r0:c@2     polls; also `subscribe`, and `uncommitted` or `leaking` for assigned readers
 *     p unknown plain w0:d          outside of transactions
 *
 * Transactions read as members of a group; a process is a session.
 */
export function writtenHistory(text: string, complete = true): History {
  const lines = text.split('\n').map((line) => line.trim());
  return { complete, operations: lines.filter((line) => line !== '').map(operation) };
}

function operation(line: string, index: number): Operation {
  const [process, outcome, what, ...words] = line.split(' ') as [string, Outcome, string, ...string[]];
  const [kind, group] = what.split(':') as [string, string?];
  const steps: Array<Send | Poll> = [];
  for (const word of words) {
    const [, act, partition, value, offset] = /^([wr])(\d):(\w+)(?:@(\d+))?$/.exec(word)!;
    const at = { partition: Number(partition), value: value! };
    if (act === 'w') {
      steps.push({ kind: 'send', ...at, offset: offset === undefined ? undefined : Number(offset) });
      continue;
    }
    const record = { ...at, offset: Number(offset) };
    const last = steps.at(-1);
    if (last?.kind === 'poll') steps.splice(-1, 1, { kind: 'poll', records: [...last.records, record] });
    else steps.push({ kind: 'poll', records: [record] });
  }
  const session: Session = {
    id: process,
    by: kind === 'assign' || kind in ISOLATIONS ? 'assign' : 'subscribe',
    isolation: ISOLATIONS[kind] ?? 'read_committed',
  };
  return {
    process,
    outcome,
    startMs: index * 10,
    endMs: index * 10 + 5,
    transactional: kind === 'txn',
    steps,
    ...(steps.some((step) => step.kind === 'poll') && { session }),
    group,
  };
}
