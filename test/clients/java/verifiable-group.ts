/** Two of Kafka's verifiable consumers in one group while one of its verifiable producers writes. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

import { eventually } from '../../support/eventually.ts';
import type { Java } from '../../support/java.ts';
import type { TargetBroker } from './target-broker.ts';

const TOPIC = 'shared';
const GROUP = 'verifiers';
const MESSAGES = 200;
const TIMEOUT_MS = 60_000;

interface Event {
  readonly name: string;
  readonly partitions?: ReadonlyArray<{ partition: number; minOffset?: number; maxOffset?: number }>;
  readonly success?: boolean;
}

class VerifiableConsumer {
  readonly events: Event[] = [];
  private readonly child: ChildProcess;

  constructor(java: Java, broker: TargetBroker) {
    const args = ['--bootstrap-server', broker.bootstrap, '--topic', TOPIC, '--group-id', GROUP];
    const settings = ['--reset-policy', 'earliest', '--session-timeout', '6000'];
    this.child = java.spawn('tools', 'org.apache.kafka.tools.VerifiableConsumer', [...args, ...settings]);
    this.child.stderr!.resume();
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      if (line.startsWith('{')) this.events.push(JSON.parse(line) as Event);
    });
  }

  /** The last assignment, if none was revoked since. */
  assigned(): number {
    const last = this.events.findLast(({ name }) => /^partitions_(assigned|revoked)$/.test(name));
    return last?.name === 'partitions_assigned' ? last.partitions!.length : 0;
  }

  /** Every offset that it has read, as partition:offset. */
  read(): string[] {
    const ranges = this.events.filter(({ name }) => name === 'records_consumed');
    return ranges.flatMap(({ partitions }) =>
      partitions!.flatMap(({ partition, minOffset, maxOffset }) =>
        Array.from({ length: maxOffset! - minOffset! + 1 }, (_, i) => `${partition}:${minOffset! + i}`),
      ),
    );
  }

  async end(): Promise<void> {
    const exit = new Promise((resolve) => void this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await exit;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

export async function observeVerifiableGroup(
  java: Java,
  broker: TargetBroker,
): Promise<Record<string, string>> {
  const seen: Record<string, string> = {};
  const produce = async (topic: string): Promise<string> => {
    const args = [
      '--bootstrap-server',
      broker.bootstrap,
      '--topic',
      topic,
      '--max-messages',
      String(MESSAGES),
    ];
    const { stdout } = await java.run('tools', 'org.apache.kafka.tools.VerifiableProducer', args, TIMEOUT_MS);
    const events = stdout.split('\n').filter((line) => line.includes('"name":"producer_send_success"'));
    return `${events.length} acknowledged`;
  };
  const until = (condition: () => boolean): Promise<void> =>
    eventually(
      () => {
        if (!condition()) throw new Error('the verifiable consumers did not get there');
      },
      { timeoutMs: TIMEOUT_MS },
    );
  const first = new VerifiableConsumer(java, broker);
  const consumers = [first];
  try {
    // Nobody has made the topic: the producer's first request for metadata does.
    seen['written alone'] = await produce(TOPIC);
    await until(() => first.assigned() === 1 && first.read().length >= MESSAGES);
    const second = new VerifiableConsumer(java, broker);
    consumers.push(second);
    await until(() => second.events.some(({ name }) => name === 'partitions_assigned'));
    await until(() => first.assigned() + second.assigned() === 1);
    seen['written by two'] = await produce(TOPIC);
    await until(() => first.read().length + second.read().length >= 2 * MESSAGES);
    await first.end();
    await until(() => second.assigned() === 1);
    seen['written without the first'] = await produce(TOPIC);
    await until(() => first.read().length + second.read().length >= 3 * MESSAGES);
    await second.end();
    const read = [...first.read(), ...second.read()];
    seen['read'] = `${read.length}, of them different ${new Set(read).size}`;
    const commits = consumers
      .flatMap(({ events }) => events)
      .filter(({ name }) => name === 'offsets_committed');
    seen['commits that failed'] = String(commits.filter(({ success }) => success !== true).length);
    seen['last words'] = consumers.map(({ events }) => events.at(-1)?.name).join(', ');
  } finally {
    for (const consumer of consumers) consumer.kill();
  }
  return seen;
}
