import { expect, test } from 'vitest';

import { SimMachine } from '../../../test/sim/sim-host.ts';
import { type Checkpoint, checkpointPath, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { writeChecked } from './checked-file.ts';

const entry = { epoch: 0, coordinatorEpoch: -1, updatedMs: 0, batches: [] };

function checkpointOf(partitions: number, producers: number): Checkpoint {
  return {
    version: 1,
    walFile: 3,
    clusterId: 'ü"',
    partitions: Array.from({ length: partitions }, (_, partition) => ({
      topicId: 'a-b',
      partition,
      startOffset: 0,
      endOffset: 10,
      epochs: [{ epoch: 0, startOffset: 0 }],
      gaps: [[1, 2]] as const,
      segments: [],
      producers: Array.from({ length: producers }, (_one, id) => [id, entry] as never),
      ...(partition % 2 === 0 ? { cleanedTo: 5 } : {}),
      aborted: Array.from({ length: producers * 4 }, (_one, n) => n),
    })),
  };
}

test.each([
  [0, 0],
  [1, 0],
  [2, 1],
  [3, 127],
  [3, 128],
  [3, 129],
  [40, 1_000],
])(
  '%i partitions with %i producers: the same file as in one piece, over more turns',
  async (partitions, producers) => {
    const { loop, host, files } = world();
    await loop.settle(files.makeDirectory('/data'));
    const checkpoint = checkpointOf(partitions, producers);
    await loop.settle(writeChecked(files, '/data/whole', checkpoint));
    let turns = 0;
    const timers = { ...host.timers, soon: (fn: () => void) => host.timers.soon(() => (turns++, fn())) };
    await loop.settle(writeCheckpoint({ files, timers }, '/data', checkpoint));
    const [made, whole] = await loop.settle(
      Promise.all([files.readFile(checkpointPath('/data')), files.readFile('/data/whole')]),
    );
    expect(made!.equals(whole!)).toBe(true);
    expect(turns).toBeGreaterThanOrEqual(Math.floor(whole!.length / 80_000));
    const { checkpoint: read } = await loop.settle(readCheckpoint(files, '/data'));
    expect(read).toEqual(checkpoint);
  },
);

function world() {
  const machine = new SimMachine(1);
  const host = machine.boot();
  return { loop: machine.loop, host, files: host.files };
}
