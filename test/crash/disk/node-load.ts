/**
 * Load by @platformatic/kafka, where there is no other client: an idempotent and a transactional producer, each with a
 * journal as `ledger.ts` has it. One send at a time: with more its acknowledgements are not to be trusted. By hand:
 * `node test/crash/disk/node-load.ts <host:port> <journal folder> <run> <seed> <rate> <partitions> <topic>...`
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { seededRandom } from '../../support/seeded-random.ts';
import type { ProducerPort, TransactionPort } from '../histories/client-port.ts';
import { platformaticPort } from '../histories/platformatic-port.ts';
import { writePayload } from './payload.ts';

const [address, folder, run, seed, rate, partitions, firstTopic] = process.argv.slice(2);
// Its port sends no keys, without which a compacted topic takes nothing.
const topics = [firstTopic!];
const ABORTED_SHARE = 0.3;
const AWAY_MS = 50;
const suffix = process.env['LOAD_SUFFIX'] ?? '';
let stopping = false;
process.stdin.on('end', () => (stopping = true)).resume();

class Sender {
  readonly name: string;
  readonly random: () => number;
  life = 0;
  transaction = 0;
  readonly #journal: number;
  readonly #next = new Map<string, number>();

  constructor(name: string, number: number) {
    this.name = name;
    this.random = seededRandom(Number(seed) + number);
    this.#journal = openSync(join(folder!, `${name}.journal`), 'w');
  }

  write(line: string): void {
    writeSync(this.#journal, `${line}\n`);
  }

  async open(transactionalId?: string): Promise<Map<string, ProducerPort>> {
    for (;;) {
      this.life += 1;
      this.write(`L ${this.life}`);
      try {
        const ports = topics.map(async (topic) => {
          const id = transactionalId === undefined ? undefined : `${transactionalId}-${topic}`;
          return [topic, await platformaticPort(address!, topic).producer(id)] as const;
        });
        return new Map(await Promise.all(ports));
      } catch {
        await pause(AWAY_MS);
      }
    }
  }

  /** Sends some records to one partition; the journal says so before. */
  async send(via: Pick<TransactionPort, 'send'>, topic: string, transaction: number): Promise<void> {
    const partition = Math.floor(this.random() * Number(partitions));
    const count = 1 + Math.floor(this.random() * 10);
    const lane = `${topic} ${partition}`;
    const first = this.#next.get(lane) ?? 0;
    this.#next.set(lane, first + count);
    this.write(`I ${lane} ${first} ${count} ${transaction}`);
    const padding = 'p'.repeat(1 + Math.floor(this.random() * 600));
    const values = Array.from({ length: count }, (_, i) =>
      writePayload(
        {
          run: run!,
          producer: this.name,
          life: this.life,
          transaction,
          topic,
          partition,
          seq: first + i,
        },
        padding,
      ),
    );
    try {
      const offset = await via.send(partition, values);
      if (offset === undefined) throw new Error('no offset');
      for (let i = 0; i < count; i += 1) this.write(`O ${lane} ${first + i} ${offset + i}`);
    } catch (error) {
      const reason = String(error).replaceAll('\n', ' ');
      for (let i = 0; i < count; i += 1) this.write(`U ${lane} ${first + i} ${reason}`);
      throw error;
    }
    await pause((count / Number(rate)) * 1_000);
  }

  topic(): string {
    return topics[Math.floor(this.random() * topics.length)]!;
  }
}

await Promise.all([
  sendPlain(new Sender(`platformatic-plain${suffix}`, 0)),
  transact(new Sender(`platformatic-txn${suffix}`, 1)),
]);
process.exit(0);

async function sendPlain(sender: Sender): Promise<void> {
  let ports = await sender.open();
  while (!stopping) {
    const topic = sender.topic();
    try {
      await sender.send(ports.get(topic)!, topic, 0);
    } catch {
      await closeAll(ports);
      ports = await sender.open();
    }
  }
}

async function transact(sender: Sender): Promise<void> {
  let ports = await sender.open(sender.name);
  while (!stopping) {
    const topic = sender.topic();
    const number = ++sender.transaction;
    sender.write(`B ${number}`);
    let asked = false;
    try {
      const transaction = await ports.get(topic)!.begin();
      for (let i = 0; i <= sender.random() * 3; i += 1) await sender.send(transaction, topic, number);
      if (sender.random() < ABORTED_SHARE) {
        sender.write(`A ${number}`);
        asked = true;
        await transaction.abort();
        continue;
      }
      asked = true;
      sender.write(`C ${number}`);
      await transaction.commit();
      sender.write(`D ${number}`);
    } catch {
      if (!asked) sender.write(`A ${number}`);
      await closeAll(ports);
      ports = await sender.open(sender.name);
    }
  }
}

async function closeAll(ports: ReadonlyMap<string, ProducerPort>): Promise<void> {
  for (const port of ports.values()) await port.close().catch(() => {});
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
