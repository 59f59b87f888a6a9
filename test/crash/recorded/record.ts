import { createHash } from 'node:crypto';

import { afterCut, digestOf, keptSets, pendingOperations, tornWrites } from '../../sim/crash-states.ts';
import type { SimDisk } from '../../sim/sim-disk.ts';
import { type SimHost, SimMachine } from '../../sim/sim-host.ts';
import { SimRandom } from '../../sim/sim-random.ts';

/** What is done once, and what must hold wherever the power fails meanwhile. */
export interface Recording {
  readonly name: string;
  /** What was done before, and ended by a kill. */
  readonly prepare?: (host: SimHost, machine: SimMachine) => Promise<void>;
  /** Does the work, noting what is promised. Called once. */
  readonly work: (host: SimHost, machine: SimMachine) => Promise<void>;
  /** Starts on what a cut left; throws on a broken promise, returns what there is to see. May leave the process open. */
  readonly look: (host: SimHost) => Promise<string>;
  /** As `look`, for once, when nothing is looked at any more: what producers may do next. */
  readonly goOn?: (host: SimHost) => Promise<void>;
  /** Another number when more was promised: then the same disk is looked at again. */
  readonly promises: () => number;
  /** The last write is torn at each so-many-th byte; absent: by the kind of file. */
  readonly tornStep?: number;
}

export interface RecordedBounds {
  /** Only each n-th write and sync is cut, and each n-th of the torn bytes. */
  readonly stride: number;
  /** Of starts that are themselves cut at every write and sync, one within the other. */
  readonly depth: number;
}

export interface RecordedResult {
  /** Writes, syncs and changes of names in the work. */
  readonly operations: number;
  /** States of the disk that were looked at: after a cut, with a torn write, after cuts of starts. */
  readonly states: { cut: number; torn: number; restart: number };
  readonly failures: readonly string[];
}

/** Beyond the first level, starts within starts are cut at each so-many-th operation: each level is 40 times the one before. */
const DEEP_EVERY = 16;
/** Random sets where there are too many pending operations for all of them. */
const SAMPLES = 4;
const FAILURES_MAX = 5;
/** In a write-ahead log every byte decides; segments are cut at the checkpoint, and small files renamed when whole. */
const TORN_STEPS: ReadonlyArray<readonly [RegExp, number]> = [
  [/\.wal$/, 1],
  [/\.log$/, 5],
  [/./, 17],
];

/** Runs the work once and stops it at every change of the disk, for everything that a cut could leave there. */
export async function cutEverywhere(recording: Recording, bounds: RecordedBounds): Promise<RecordedResult> {
  const states = { cut: 0, torn: 0, restart: 0 };
  const failures: string[] = [];
  const seen = new Set<string>();
  const random = new SimRandom(99);
  let operations = 0;

  const tryState = async (
    disk: SimDisk,
    depth: number,
    what: string,
    kind: keyof typeof states,
  ): Promise<void> => {
    const hash = createHash('sha1');
    digestOf(disk.root, (text) => void hash.update(text));
    const key = `${recording.promises()} ${depth > 0 ? 'r' : ''} ${hash.digest('base64')}`;
    if (seen.has(key) || failures.length >= FAILURES_MAX) return;
    seen.add(key);
    states[kind] += 1;
    try {
      await lookTwice(recording, disk, async (restarted, operation) => {
        if (depth === 0) return;
        const pending = pendingOperations(restarted);
        for (const kept of pending.length === 0 ? [pending] : [[], pending]) {
          const left = afterCut(restarted, kept, new SimRandom(7));
          await tryState(
            left,
            depth - 1,
            `${what}, then a start cut before ${operation} with ${kept.length} kept`,
            'restart',
          );
        }
      });
    } catch (error) {
      failures.push(`${recording.name}, ${what}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  };

  const stopHere = async (disk: SimDisk, operation: string): Promise<void> => {
    operations += 1;
    if (operations % bounds.stride !== 0) return;
    const pending = pendingOperations(disk);
    const at = `cut before operation ${operations} (${operation})`;
    let first = true;
    for (const kept of keptSets(pending, random, SAMPLES)) {
      const what = `${at}, ${kept.length} of ${pending.length} pending kept`;
      // Starts are cut where nothing is there that was pending; one within the other at some of the operations.
      const deepest = operations % DEEP_EVERY === 0 ? bounds.depth : Math.min(1, bounds.depth);
      const depth = first ? deepest : 0;
      first = false;
      await tryState(afterCut(disk, kept, new SimRandom(5)), depth, what, 'cut');
    }
    const stepOf = (path: string): number =>
      (recording.tornStep ?? TORN_STEPS.find(([pattern]) => pattern.test(path))![1]) * bounds.stride;
    for (const kept of tornWrites(pending, stepOf)) {
      await tryState(afterCut(disk, kept, new SimRandom(5)), 0, `${at}, the last write torn`, 'torn');
    }
  };

  const machine = new SimMachine(4_711);
  if (recording.prepare) {
    const before = machine.boot();
    await machine.loop.settle(recording.prepare(before, machine));
    before.files.kill();
  }
  const host = machine.boot();
  host.files.onChange = (operation, path) => stopHere(machine.disk, `${operation} ${path}`);
  await machine.loop.settle(recording.work(host, machine));
  await stopHere(machine.disk, 'the end');
  return { operations, states, failures };
}

/** A start, a kill, a second start, which must see the same; then what goes on from there. */
async function lookTwice(
  recording: Recording,
  disk: SimDisk,
  onChange: (disk: SimDisk, operation: string) => Promise<void>,
): Promise<void> {
  const machine = new SimMachine(1, disk);
  const host = machine.boot();
  host.files.onChange = (operation, path) => onChange(disk, `${operation} ${path}`);
  const first = await machine.loop.settle(recording.look(host));
  host.files.kill();
  const again = machine.boot();
  const second = await machine.loop.settle(recording.look(again));
  again.files.kill();
  if (second !== first) {
    const said = [...host.lines, ...again.lines].map(
      ({ message, fields }) => `${message} ${JSON.stringify(fields)}`,
    );
    throw new Error(`a second start sees something else:\n${second}\n-- after\n${first}\n${said.join('\n')}`);
  }
  if (recording.goOn) await machine.loop.settle(recording.goOn(machine.boot()));
}
