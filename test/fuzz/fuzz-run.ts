import { HANDLERS } from '../../broker/handlers/index.ts';
import { type FuzzBroker, KNOWN_TOPIC, MEMORY_RISE_MAX, WORK_MS_MAX } from './fuzz-broker.ts';
import { fuzzer } from './fuzz-frames.ts';

/** Frames given before the connections so far are ended. */
const FRAMES_PER_ROUND = 64;

export interface FuzzFigures {
  readonly runs: number;
  readonly worstMs: number;
  readonly worstRise: number;
}

/** Gives `runs` frames. @throws Error with the seed, the number and the bytes of the frame that broke a promise */
export async function fuzzFrames(broker: FuzzBroker, seed: number, runs: number): Promise<FuzzFigures> {
  const { frame, corpus } = fuzzer(HANDLERS, seed, KNOWN_TOPIC);
  // Valid frames first, for decoders and handlers to be compiled: what is measured is not the compiler.
  for (const valid of corpus) broker.give(Buffer.from(valid));
  await broker.settle();
  let worstMs = 0;
  let worstRise = 0;
  for (let n = 0; n < runs; n += 1) {
    const bytes = frame(n);
    const fail = (what: string): never => {
      throw new Error(`seed ${seed}, frame ${n}: ${what}\n${bytes.toString('hex')}`);
    };
    let outcome;
    try {
      outcome = broker.give(bytes);
    } catch (error) {
      return fail(`uncaught ${String((error as Error).stack)}`);
    }
    if (outcome.workMs > WORK_MS_MAX) fail(`${outcome.workMs} ms of work, want ${WORK_MS_MAX}`);
    if (outcome.memoryRise > MEMORY_RISE_MAX)
      fail(`${outcome.memoryRise} bytes more, want ${MEMORY_RISE_MAX}`);
    worstMs = Math.max(worstMs, outcome.workMs);
    worstRise = Math.max(worstRise, outcome.memoryRise);
    if (n % FRAMES_PER_ROUND !== FRAMES_PER_ROUND - 1) continue;
    await broker.settle();
    if (broker.errors.length > 0) {
      throw new Error(`seed ${seed}, frames ${n - FRAMES_PER_ROUND + 1} to ${n}: ${broker.errors[0]}`);
    }
  }
  await broker.settle();
  if (broker.errors.length > 0) throw new Error(`seed ${seed}, the last frames: ${broker.errors[0]}`);
  return { runs, worstMs, worstRise };
}
