/**
 * Runs in a process that is measured, before anything else: on SIGUSR2 it writes what can only be known from within
 * into the file that MILLRACE_BENCH_PROBE names. Everything is since the last time.
 */
import { renameSync, writeFileSync } from 'node:fs';

import { measureTurns } from '../../deploy/process/turn-times.ts';
import type { Probed } from './probe.ts';

const path = process.env['MILLRACE_BENCH_PROBE'];
if (path !== undefined) {
  const turns = measureTurns();
  // Of that, what the thread was on a processor: the rest it waited for one, as the clients do beside it.
  const turnsOnProcessor = measureTurns(() => {
    // Linux counts a thread's time at its ticks, of 4 ms, unless the whole process is asked about before.
    process.cpuUsage();
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  });
  let sequence = 0;
  process.on('SIGUSR2', () => {
    sequence += 1;
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    const probed: Probed = {
      sequence,
      heapUsed,
      external,
      arrayBuffers,
      turns: turns.collect(),
      turnsOnProcessor: turnsOnProcessor.collect(),
    };
    // Whole or not at all.
    writeFileSync(`${path}.tmp`, JSON.stringify(probed));
    renameSync(`${path}.tmp`, path);
  });
}
