/** Runs cells: starts both brokers for each, alternates between them, keeps what was measured. */
import type { Java } from '../../support/java.ts';
import type { Workplace } from '../workplace.ts';
import type { Cell, Client, Run } from './cell.ts';
import { startJavaClient } from './java-client.ts';
import { startKafka } from './kafka.ts';
import { kafkajsClient } from './kafkajs-client.ts';
import { kcatClient, kcatProblem } from './kcat-client.ts';
import { startOurs } from './ours.ts';
import { platformaticClient } from './platformatic-client.ts';
import type { Progress } from './progress.ts';
import { Samples, type Summary } from './samples.ts';
import type { Side, SideName } from './side.ts';

export interface Comparison {
  readonly workplace: Workplace;
  /** Java with everything in place, or why there is none. */
  readonly java: Java | string;
  readonly sides: readonly SideName[];
  readonly pairs: number;
  readonly seconds: number;
  readonly progress: Progress;
  readonly say: (text: string) => void;
  /** Both have just answered for the first time. */
  readonly onStart: (sides: readonly Side[]) => void;
}

/** What comes with the first start of all is no figure: our cached build, pages of programs that nobody has read yet. */
export async function startOnce(comparison: Comparison): Promise<void> {
  for (const name of comparison.sides) await startSide(name, comparison);
  await comparison.workplace.close();
}

/** Why the cell cannot run here; undefined when it can. */
export function cellProblem({ client }: Cell, java: Java | string): string | undefined {
  if (client === 'java' && typeof java === 'string') return java;
  return client === 'librdkafka' ? kcatProblem() : undefined;
}

export async function measureCell(cell: Cell, comparison: Comparison): Promise<Summary[]> {
  const { workplace, pairs, seconds, progress } = comparison;
  const say = (text: string): void =>
    comparison.say([cell.name, text, progress.text(performance.now())].filter(Boolean).join(': '));
  const samples = new Samples(cell.name);
  say('starts the brokers');
  const sides: Side[] = [];
  for (const name of comparison.sides) sides.push(await startSide(name, comparison));
  comparison.onStart(sides);
  const client = startClient(cell, comparison);
  let pair = 0;
  const run: Run = {
    cell,
    workplace,
    sides,
    pairs,
    seconds,
    client,
    note: (side, measure, value) => samples.add(side.name, measure, pair, value),
    alternate: async (what, work) => {
      for (pair = 0; pair < pairs; pair += 1) {
        for (const side of order(sides, pair)) {
          say(`${what}, pair ${pair + 1} of ${pairs}, ${side.name}`);
          await work(side, pair);
        }
      }
    },
    prepare: async (what, work, some = sides) => {
      pair = 0;
      for (const side of some) {
        say(`${what}, ${side.name}`);
        await work(side);
      }
    },
  };
  try {
    await cell.work(run);
  } finally {
    await workplace.close();
  }
  return samples.summaries();
}

/** Ours, Kafka, Kafka, ours, …: neither is always the one that comes after the other. */
export function order<T>(sides: readonly T[], pair: number): readonly T[] {
  return pair % 2 === 0 ? sides : sides.toReversed();
}

function startSide(name: SideName, { workplace, java }: Comparison): Promise<Side> {
  if (name === 'ours') return startOurs(workplace);
  if (typeof java === 'string') throw new Error(`cannot start Kafka: ${java}`);
  return startKafka(workplace, java);
}

function startClient({ client }: Cell, { workplace, java }: Comparison): Client {
  switch (client) {
    case 'java':
      if (typeof java === 'string') throw new Error(`cannot start Java: ${java}`);
      return startJavaClient(workplace, java);
    case 'kafkajs':
      return kafkajsClient;
    case 'platformatic':
      return platformaticClient;
    case 'librdkafka':
      return kcatClient;
  }
}
