/**
 * The frame of every suite here: the same scenarios against our broker and against a real Apache Kafka, unless
 * `MILLRACE_TEST_TARGET` names one of the two. Kafka's answers stand in the record, with which both are compared, so
 * that a change on either side shows. What is missing on the machine is said, and its tests are skipped.
 * While working on something, `MILLRACE_TEST_FAMILIES=Groups,Shares` runs those families only.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type Java, prepareJava } from '../../support/java.ts';
import { DIFFERENCES } from './differences.ts';
import { type Observations, recordedObservations, recordObservations, unexplained } from './observations.ts';
import { type OurBroker, startOurBroker } from './our-broker.ts';
import { startRealKafka } from './real-kafka.ts';
import type { TargetBroker } from './target-broker.ts';

const TARGETS = (['millrace', 'kafka'] as const).filter(
  (name) => (process.env['MILLRACE_TEST_TARGET'] ?? name) === name,
);

export type Observe = (java: Java, client: string, broker: TargetBroker | OurBroker) => Promise<Observations>;

/** Clients and tools that run in Java. */
export function compareWithKafka(title: string, clients: readonly string[], observe: Observe): void {
  const java = prepareJava();
  const problem = typeof java === 'string' ? java : undefined;
  suite(title, clients, { java, problem }, (client, broker) => observe(java as Java, client, broker));
}

/** Clients of another kind. `problem` says why they cannot run; Java is wanted only where Kafka itself is. */
export function compareOthersWithKafka(
  title: string,
  clients: readonly string[],
  problem: string | undefined,
  observe: (client: string, broker: TargetBroker | OurBroker) => Promise<Observations>,
): void {
  suite(title, clients, { java: prepareJava(), problem }, observe);
}

function suite(
  title: string,
  clients: readonly string[],
  { java, problem }: { readonly java: Java | string; readonly problem: string | undefined },
  observe: (client: string, broker: TargetBroker | OurBroker) => Promise<Observations>,
): void {
  for (const target of TARGETS) {
    const missing = problem ?? (target === 'kafka' && typeof java === 'string' ? java : undefined);
    if (missing !== undefined) console.log(`skipped: ${title} with ${target}: ${missing}`);
    describe.skipIf(missing !== undefined)(`${title} with ${target}`, () => {
      let broker: TargetBroker;
      beforeAll(async () => {
        broker = target === 'kafka' ? await startRealKafka(java as Java) : await startOurBroker();
      });
      afterAll(() => broker?.stop());

      for (const client of clients) {
        test(`${client} gets the answers of Apache Kafka 4.4`, async () => {
          const seen = await observe(client, broker);
          if (target === 'kafka' && process.env['MILLRACE_TEST_RECORD']) recordObservations(client, seen);
          const families = process.env['MILLRACE_TEST_FAMILIES']?.split(',');
          const known = target === 'kafka' ? [] : DIFFERENCES;
          expect(unexplained(client, seen, recordedObservations(client, families), known)).toEqual([]);
        });
      }
    });
  }
}
