/**
 * Kafka Streams with exactly_once_v2: what it computes from a known input is right and stands there once, also where our
 * broker is killed while it runs. Against a real Kafka, which is not killed, the same shows that the expectations hold.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../../support/eventually.ts';
import { type Java, prepareJava } from '../../support/java.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { type OurBroker, startOurBroker } from './our-broker.ts';
import { startRealKafka } from './real-kafka.ts';
import {
  type ApplicationName,
  type Input,
  startStreamsApplication,
  type StreamsApplication,
} from './streams-application.ts';
import type { TargetBroker } from './target-broker.ts';

const PARTITIONS = 3;
/** Inputs between two waits for the broker's acknowledgement. */
const CHUNK = 50;
const DEADLINE_MS = 90_000;

/** Everything happens within these minutes, and is over long enough for windows to close before now. */
const SPAN_MS = 5 * 60_000;
const BEGIN = Date.now() - 50 * 60_000;
const WINDOWS_ARE_CLOSED = BEGIN + 45 * 60_000;
const JOIN_WINDOW_MS = 5_000;
const SESSION_GAP_MS = 10_000;

interface Story {
  readonly application: ApplicationName;
  readonly inputs: readonly Input[];
  readonly output: string;
  /** By key; in this order where `ordered`. */
  readonly expected: ReadonlyMap<string, readonly string[]>;
  readonly ordered?: boolean;
  /** What else happens, after so many parts of a hundred of the input. */
  readonly events: Readonly<Record<number, 'crash' | 'add-thread' | 'forget-state'>>;
}

const TARGETS = (['millrace', 'kafka'] as const).filter(
  (name) => (process.env['MILLRACE_TEST_TARGET'] ?? name) === name,
);
const java = prepareJava();

for (const target of TARGETS) {
  if (typeof java === 'string') console.log(`skipped: Kafka Streams with ${target}: ${java}`);
  describe.skipIf(typeof java === 'string')(`Kafka Streams with ${target}`, () => {
    let broker: TargetBroker | OurBroker;
    beforeAll(async () => {
      broker = target === 'kafka' ? await startRealKafka(java as Java) : await startOurBroker();
    });
    afterAll(() => broker?.stop());

    test.each([wordCount(), join(), sessions()])('$application: every result once', async (story) => {
      const application = startStreamsApplication(java as Java, broker.bootstrap, story.application);
      const began = performance.now();
      try {
        await tell(story, application, broker);
        expect(shown(application.outputs, story.ordered)).toEqual(shown(story.expected, story.ordered));
      } catch (error) {
        console.log(application.complaints());
        throw error;
      } finally {
        if (process.env['MILLRACE_TEST_VERBOSE'])
          console.log(`${story.application} took ${Math.round(performance.now() - began)} ms`);
        application.close();
      }
    });
  });
}

async function tell(
  story: Story,
  application: StreamsApplication,
  broker: TargetBroker | OurBroker,
): Promise<void> {
  const topics = new Set([...story.inputs.map((one) => one.topic), story.output]);
  for (const topic of topics) await application.createTopic(topic, PARTITIONS);
  await application.read(story.output);
  await application.start();
  const events = Object.entries(story.events).map(([at, event]) => ({
    at: Math.floor((story.inputs.length * Number(at)) / 100),
    event,
  }));
  let crashed = Promise.resolve();
  for (let from = 0; from < story.inputs.length; from += CHUNK) {
    for (const { at, event } of events) {
      if (at < from || at >= from + CHUNK) continue;
      if (event === 'add-thread') await application.addThread();
      if (event === 'forget-state') {
        await application.forgetState();
        await application.start();
      }
      // The input goes on meanwhile.
      if (event === 'crash' && 'crash' in broker) crashed = crashed.then(() => broker.crash());
    }
    await application.send(story.inputs.slice(from, from + CHUNK));
  }
  await crashed;
  const count = [...story.expected.values()].reduce((sum, values) => sum + values.length, 0);
  await eventually(() => expect(application.outputCount()).toBeGreaterThanOrEqual(count), {
    timeoutMs: DEADLINE_MS,
  });
  await application.stop();
}

/** Counts of every word, one after the other: a repartition topic, a store with a changelog. */
function wordCount(): Story {
  const random = seededRandom(1);
  const counts = new Map<string, string[]>();
  const inputs = Array.from({ length: 4_000 }, (_, index): Input => {
    const words = Array.from({ length: 3 }, () => `word-${Math.floor(random() * random() * 80)}`);
    for (const word of words) {
      const before = counts.get(word) ?? [];
      counts.set(word, [...before, String(before.length + 1)]);
    }
    return { topic: 'lines', timestamp: BEGIN + index, key: `line-${index}`, value: words.join(' ') };
  });
  return {
    application: 'word-count',
    inputs,
    output: 'word-counts',
    expected: counts,
    ordered: true,
    events: { 15: 'crash', 30: 'add-thread', 50: 'crash', 60: 'forget-state', 75: 'crash', 99: 'crash' },
  };
}

/** Pairs of the same key not further apart than the window: two windowed stores. */
function join(): Story {
  const random = seededRandom(2);
  const inputs = ['orders', 'payments']
    .flatMap((topic) =>
      Array.from({ length: 1_500 }, (_, index): Input => {
        const timestamp = BEGIN + Math.floor(random() * SPAN_MS);
        const key = `customer-${Math.floor(random() * 40)}`;
        return { topic, timestamp, key, value: `${topic}-${index}` };
      }),
    )
    .toSorted((a, b) => a.timestamp - b.timestamp);
  const payments = inputs.filter(({ topic }) => topic === 'payments');
  const expected = new Map<string, string[]>();
  for (const { topic, key, value, timestamp } of inputs) {
    if (topic !== 'orders') continue;
    const near = payments.filter(
      (one) => one.key === key && Math.abs(one.timestamp - timestamp) <= JOIN_WINDOW_MS,
    );
    if (near.length === 0) continue;
    expected.set(key, [...(expected.get(key) ?? []), ...near.map((one) => `${value}+${one.value}`)]);
  }
  return {
    application: 'join',
    inputs,
    output: 'paid-orders',
    expected,
    events: { 20: 'crash', 40: 'forget-state', 60: 'crash', 98: 'crash' },
  };
}

/** Sessions of each user, told when they are over: a session store and a buffer, both with changelogs. */
function sessions(): Story {
  const random = seededRandom(3);
  const clicks = Array.from({ length: 3_000 }, (_, index): Input => {
    const timestamp = BEGIN + Math.floor(random() * SPAN_MS);
    return { topic: 'clicks', timestamp, key: `user-${Math.floor(random() * 60)}`, value: `click-${index}` };
  }).toSorted((a, b) => a.timestamp - b.timestamp);
  const last = Array.from({ length: PARTITIONS }, (_, partition): Input => {
    return {
      topic: 'clicks',
      partition,
      timestamp: WINDOWS_ARE_CLOSED,
      key: `end-${partition}`,
      value: 'end',
    };
  });
  const expected = new Map<string, string[]>();
  for (const user of new Set(clicks.map(({ key }) => key))) {
    const times = clicks.filter(({ key }) => key === user).map(({ timestamp }) => timestamp);
    const visits: number[][] = [];
    for (const time of times) {
      const visit = visits.at(-1);
      if (visit && time - visit.at(-1)! <= SESSION_GAP_MS) visit.push(time);
      else visits.push([time]);
    }
    expected.set(
      user,
      visits.map((visit) => `${visit[0]}-${visit.at(-1)}:${visit.length}`),
    );
  }
  return {
    application: 'sessions',
    inputs: [...clicks, ...last],
    output: 'visits',
    expected,
    events: { 30: 'crash', 50: 'forget-state', 70: 'crash', 99: 'crash' },
  };
}

function shown(outputs: ReadonlyMap<string, readonly string[]>, ordered = false): Record<string, string[]> {
  const entries = [...outputs].map(([key, values]): [string, string[]] => [
    key,
    ordered ? [...values] : values.toSorted(),
  ]);
  return Object.fromEntries(entries);
}
