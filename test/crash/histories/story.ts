/** Two short stories in which every planted fault shows, told by a real client. */
import { AssignedReader } from './assigned-reader.ts';
import type { ClientPort, ConsumerPort, TransactionPort } from './client-port.ts';
import type { History, Outcome, Poll, Send } from './history.ts';
import { ALONG, AT_THE_END } from './planted.ts';
import { Recorder } from './recorder.ts';

const PARTITIONS = 2;
/** Each waits 50 ms. */
const EMPTY_POLLS = 3;

interface Stage {
  readonly port: number;
  readonly topic: string;
  readonly client: ClientPort;
}

/** A transaction, an aborted one, two that overlap and poll, and sends outside of transactions. */
export async function tellStory(stage: Stage): Promise<History> {
  const recorder = new Recorder();
  const [along, xReader, yReader, last] = [ALONG, 'x', 'y', AT_THE_END].map((id) =>
    reader(stage, id, recorder),
  );
  const w = await Teller.begin(stage, recorder, 'w');
  await w.send(0, 'a1');
  await w.send(0, 'a2');
  await w.send(1, 'a3');
  await w.end(true);
  await drain(along!);
  const v = await Teller.begin(stage, recorder, 'v');
  await v.send(0, 'b1');
  await v.end(false);
  const x = await Teller.begin(stage, recorder, 'x');
  await x.send(0, 'x1');
  const y = await Teller.begin(stage, recorder, 'y');
  await y.send(1, 'y1');
  await x.poll(xReader!);
  await y.poll(yReader!);
  await x.send(0, 'x2');
  await x.end(true);
  await y.end(true);
  const plain = await stage.client.producer(undefined);
  for (const value of ['p1', 'p2']) {
    const startMs = recorder.nowMs();
    const offset = await plain.send(0, [value]);
    const steps: Send[] = [{ kind: 'send', partition: 0, value, offset }];
    recorder.add({ process: 'plain', startMs, outcome: 'ok', transactional: false, steps });
  }
  await plain.close();
  await drain(along!);
  await drain(last!);
  for (const one of [along, xReader, yReader, last]) one!.close();
  return { operations: recorder.operations, complete: true };
}

/** One member of a group after the other consumes in transactions, all of it from one partition. */
export async function tellCopyingStory(stage: Stage): Promise<History> {
  const recorder = new Recorder();
  const write = async (process: string, ...values: string[]): Promise<void> => {
    const w = await Teller.begin(stage, recorder, process);
    for (const value of values) await w.send(0, value);
    await w.end(true);
  };
  await write('w', 'a1', 'a2');
  await consume('c');
  await write('w', 'b1', 'b2', 'b3');
  await consume('d');
  const last = reader(stage, AT_THE_END, recorder);
  await drain(last);
  last.close();
  return { operations: recorder.operations, complete: true };

  async function consume(process: string): Promise<void> {
    const copy = await Teller.begin(stage, recorder, process);
    const consumer = await stage.client.consumer(`group-${stage.topic}`);
    await copy.consume(consumer);
    await copy.end(true);
    await consumer.close();
  }
}

/** One transaction, step by step. */
class Teller {
  readonly #transaction: TransactionPort;
  readonly #close: () => Promise<void>;
  readonly #recorder: Recorder;
  readonly #process: string;
  readonly #startMs: number;
  readonly #steps: Array<Send | Poll> = [];
  #group: string | undefined;

  private constructor(
    transaction: TransactionPort,
    close: () => Promise<void>,
    recorder: Recorder,
    process: string,
  ) {
    this.#transaction = transaction;
    this.#close = close;
    this.#recorder = recorder;
    this.#process = process;
    this.#startMs = recorder.nowMs();
  }

  static async begin({ client, topic }: Stage, recorder: Recorder, process: string): Promise<Teller> {
    const producer = await client.producer(`${topic}-${process}`);
    return new Teller(await producer.begin(), () => producer.close(), recorder, process);
  }

  async send(partition: number, value: string): Promise<void> {
    const offset = await this.#transaction.send(partition, [value]);
    this.#steps.push({ kind: 'send', partition, value, offset });
  }

  async poll(from: AssignedReader): Promise<void> {
    this.#steps.push({ kind: 'poll', records: await from.poll() });
  }

  /** Polls until something comes, and sends the positions. */
  async consume(consumer: ConsumerPort): Promise<void> {
    this.#group = consumer.groupId;
    let records = await consumer.poll();
    for (let i = 0; i < 50 && records.length === 0; i += 1) records = await consumer.poll();
    this.#steps.push({ kind: 'poll', records });
    await this.#transaction.sendPositions(consumer);
  }

  async end(commit: boolean): Promise<void> {
    let outcome: Outcome = commit ? 'unknown' : 'failed';
    try {
      await (commit ? this.#transaction.commit() : this.#transaction.abort());
      if (commit) outcome = 'ok';
    } catch {
      // Unknown, or never asked to commit.
    }
    await this.#close();
    this.#recorder.add({
      process: this.#process,
      startMs: this.#startMs,
      outcome,
      transactional: true,
      steps: this.#steps,
      session: { id: this.#process, by: 'subscribe', isolation: this.#group ? 'leaking' : 'read_committed' },
      group: this.#group,
    });
  }
}

function reader({ port, topic }: Stage, id: string, recorder: Recorder): AssignedReader {
  const session = { id, by: 'assign', isolation: 'read_committed' } as const;
  return new AssignedReader(port, topic, PARTITIONS, session, recorder);
}

/** Until nothing comes for a while: a commit is answered before its markers are written. */
async function drain(from: AssignedReader): Promise<void> {
  for (let empty = 0; empty < EMPTY_POLLS;) empty = (await from.pollOnce()) > 0 ? 0 : empty + 1;
}
