import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  initProducerId,
  produce,
  txnOffsetCommit,
} from '../../../broker/wire/schemas/index.ts';
import type { SimRandom } from '../../sim/sim-random.ts';
import { recordBatch } from '../../support/record-batch.ts';
import { FLOWS, type Flow } from '../../support/transactional-client.ts';
import type { BrokerProcess } from './broker-process.ts';
import { insist, type SimClient, TOPICS } from './sim-client.ts';
import type { SeenRecord, View } from './view.ts';

const TRANSACTIONAL = 0x10;
/** INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, TRANSACTION_ABORTABLE. */
const FENCED = new Set([47, 48, 49, 90, 120]);
const ZOMBIE_POSITION = 1_000_000;

interface Identity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

interface Write {
  readonly partition: number;
  readonly values: readonly string[];
  sequence: number | undefined;
  isAnswered: boolean;
}

/** One transaction, as its producer knows it. */
interface Attempt {
  readonly id: string;
  readonly writes: readonly Write[];
  /** Committed with it. */
  readonly position: number | undefined;
  isPositionAnswered: boolean;
  readonly commit: boolean;
  isEndAsked: boolean;
  /** Told, or seen: it cannot change any more. */
  outcome: 'committed' | 'aborted' | undefined;
}

/** Copies for ever: records and a position in each transaction, in the way of its generation of clients. */
export class TransactionalProducer implements SimClient {
  readonly #name: string;
  readonly #flow: Flow;
  /** Short: it loses transactions to the coordinator's clock. */
  readonly #timeoutMs: number;
  /** Every producer that the broker gave to anybody. */
  readonly #given: Set<string>;
  #identity: Identity | undefined;
  #isInitAsked = false;
  readonly #former: Identity[] = [];
  readonly #sequences = new Map<number, number>();
  readonly #attempts: Attempt[] = [];
  #attempt: Attempt | undefined;

  constructor(name: string, flow: Flow, timeoutMs: number, given: Set<string>) {
    this.#name = name;
    this.#flow = flow;
    this.#timeoutMs = timeoutMs;
    this.#given = given;
  }

  get groupIds(): string[] {
    return [`g-${this.#name}`];
  }

  async live(process: BrokerProcess, random: SimRandom, actions: number): Promise<void> {
    if (!this.#identity || this.#isInitAsked || random.chance(0.3)) await this.#init(process);
    for (let i = 0; i < actions; i += 1) {
      await process.sleep(random.unit() * (random.chance(0.1) ? 80 : 3));
      const dice = random.unit();
      if (dice < 0.05) await this.#init(process);
      else if (dice < 0.15) await this.#haunt(process, random);
      else await this.#goOn(process, random);
    }
  }

  check({ byWriter, positions }: View): void {
    if (byWriter.has(this.#zombie)) throw new Error(`a fenced producer of ${this.#name} has written`);
    let possible = [-1];
    const at = positions.get(`${this.groupIds[0]}/data-0`) ?? -1;
    for (const attempt of this.#attempts) {
      checkRecords(attempt, byWriter.get(attempt.id) ?? []);
      const { position, outcome, writes, commit, isEndAsked } = attempt;
      if (position === undefined) continue;
      if (outcome === 'committed') possible = [position];
      else if (!outcome && commit && isEndAsked && writes.length === 0) possible = [...possible, position];
    }
    if (!possible.includes(at)) {
      throw new Error(`the position of ${this.#name} is ${at}, want ${possible.join(' or ')}`);
    }
    const seen = this.#attempts.find(({ position, commit }) => commit && position === at);
    if (seen) seen.outcome = 'committed';
  }

  get #zombie(): string {
    return `zombie-${this.#name}`;
  }

  async #init(process: BrokerProcess): Promise<void> {
    this.#isInitAsked = true;
    const code = await insist(process, async () => {
      const answer = await process.ask(initProducerId, FLOWS[this.#flow].init, {
        transactionalId: this.#name,
        transactionTimeoutMs: this.#timeoutMs,
        producerId: -1,
        producerEpoch: -1,
      });
      if (answer.errorCode !== 0) return answer.errorCode;
      const before = this.#identity;
      if (before && before.producerId === answer.producerId && before.producerEpoch >= answer.producerEpoch) {
        throw new Error(`${this.#name} fell back to epoch ${answer.producerEpoch}`);
      }
      if (before) this.#former.push(before);
      this.#become(answer);
      return 0;
    });
    if (code !== 0) throw new Error(`cannot begin ${this.#name}: got ${code}`);
    this.#isInitAsked = false;
    const attempt = this.#attempt;
    if (attempt && !(attempt.commit && attempt.isEndAsked)) attempt.outcome = 'aborted';
    this.#attempt = undefined;
  }

  #become(next: Identity): void {
    const { producerId, producerEpoch } = next;
    const key = `${producerId}/${producerEpoch}`;
    const before = this.#identity;
    if (before?.producerId === producerId && before.producerEpoch === producerEpoch) return;
    if (this.#given.has(key)) throw new Error(`producer ${key} was given twice`);
    this.#given.add(key);
    this.#identity = { producerId, producerEpoch };
    this.#sequences.clear();
  }

  async #goOn(process: BrokerProcess, random: SimRandom): Promise<void> {
    this.#attempt ??= this.#plan(random);
    const attempt = this.#attempt;
    const write = attempt.writes.find(({ isAnswered }) => !isAnswered);
    const isPositionDue = attempt.position !== undefined && !attempt.isPositionAnswered;
    let code: number;
    if (write) code = await this.#write(process, write);
    else if (isPositionDue) code = await this.#commitPosition(process, attempt);
    else code = await this.#end(process, attempt);
    if (code === 0) return;
    const isTimeout = this.#timeoutMs < 1_000 && FENCED.has(code);
    if (!isTimeout) throw new Error(`${attempt.id} of ${JSON.stringify(this.#identity)} got ${code}`);
    await this.#init(process);
  }

  #plan(random: SimRandom): Attempt {
    const id = `${this.#name}#${this.#attempts.length}`;
    const writes = Array.from({ length: random.below(4) }, (_, i) => ({
      partition: random.below(TOPICS.data),
      values: Array.from({ length: 1 + random.below(2) }, (__, j) => `${id}:${i}.${j}`),
      sequence: undefined,
      isAnswered: false,
    }));
    const position = writes.length === 0 || random.chance(0.6) ? this.#attempts.length : undefined;
    const attempt: Attempt = {
      id,
      writes,
      position,
      isPositionAnswered: false,
      commit: random.chance(0.7),
      isEndAsked: false,
      outcome: undefined,
    };
    this.#attempts.push(attempt);
    return attempt;
  }

  async #write(process: BrokerProcess, write: Write): Promise<number> {
    const { partition, values } = write;
    if (write.sequence === undefined) {
      write.sequence = this.#sequences.get(partition) ?? 0;
      this.#sequences.set(partition, write.sequence + values.length);
    }
    const identity = this.#identity!;
    if (this.#flow === 'classic') {
      const added = await insist(process, () => this.#add(process, partition, identity));
      if (added !== 0) return added;
    }
    const { sequence } = write;
    const code = await insist(process, () => this.#produce(process, partition, values, sequence, identity));
    if (code === 0) write.isAnswered = true;
    return code;
  }

  async #add(process: BrokerProcess, partition: number, identity: Identity): Promise<number> {
    const answer = await process.ask(addPartitionsToTxn, 3, {
      transactions: [],
      v3AndBelowTransactionalId: this.#name,
      v3AndBelowProducerId: identity.producerId,
      v3AndBelowProducerEpoch: identity.producerEpoch,
      v3AndBelowTopics: [{ name: 'data', partitions: [partition] }],
    });
    return answer.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode;
  }

  async #produce(
    process: BrokerProcess,
    index: number,
    values: readonly string[],
    baseSequence: number,
    identity: Identity,
  ): Promise<number> {
    const records = recordBatch({ values, ...identity, baseSequence, attributes: TRANSACTIONAL });
    const { responses } = await process.ask(produce, FLOWS[this.#flow].produce, {
      transactionalId: this.#name,
      acks: -1,
      timeoutMs: 1_000,
      topicData: [{ name: 'data', partitionData: [{ index, records }] }],
    });
    return responses[0]!.partitionResponses[0]!.errorCode;
  }

  async #commitPosition(process: BrokerProcess, attempt: Attempt): Promise<number> {
    const code = await insist(process, () =>
      this.#txnOffsetCommit(process, attempt.position!, this.#identity!),
    );
    if (code === 0) attempt.isPositionAnswered = true;
    return code;
  }

  async #txnOffsetCommit(process: BrokerProcess, position: number, identity: Identity): Promise<number> {
    const groupId = this.groupIds[0]!;
    if (this.#flow === 'classic') {
      const added = await insist(process, async () => {
        const request = { transactionalId: this.#name, ...identity, groupId };
        return (await process.ask(addOffsetsToTxn, 3, request)).errorCode;
      });
      if (added !== 0) return added;
    }
    const { topics } = await process.ask(txnOffsetCommit, FLOWS[this.#flow].commit, {
      transactionalId: this.#name,
      groupId,
      ...identity,
      topics: [
        {
          name: 'data',
          partitions: [{ partitionIndex: 0, committedOffset: position, committedMetadata: '' }],
        },
      ],
    });
    return topics[0]!.partitions[0]!.errorCode;
  }

  async #end(process: BrokerProcess, attempt: Attempt): Promise<number> {
    const isFirst = !attempt.isEndAsked;
    attempt.isEndAsked = true;
    const { commit } = attempt;
    const code = await insist(process, async () => {
      const request = { transactionalId: this.#name, ...this.#identity!, committed: commit };
      const answer = await process.ask(endTxn, FLOWS[this.#flow].end, request);
      if (answer.errorCode === 0 && FLOWS[this.#flow].end >= 5) this.#become(answer);
      return answer.errorCode;
    });
    if (code === 0) attempt.outcome = commit ? 'committed' : 'aborted';
    // What was refused at once was not done.
    else if (isFirst) attempt.outcome = 'aborted';
    if (code === 0) this.#attempt = undefined;
    return code;
  }

  /** A producer that was replaced, and does not know it. */
  async #haunt(process: BrokerProcess, random: SimRandom): Promise<void> {
    if (this.#former.length === 0) return;
    const identity = random.pick(this.#former);
    const way = random.below(3);
    let code: number;
    if (way === 0) code = await this.#produce(process, 0, [`${this.#zombie}:0`], 0, identity);
    else if (way === 1) code = await this.#txnOffsetCommit(process, ZOMBIE_POSITION, identity);
    else {
      const request = { transactionalId: this.#name, ...identity, committed: random.chance(0.5) };
      code = (await process.ask(endTxn, FLOWS[this.#flow].end, request)).errorCode;
    }
    if (code === 0) throw new Error(`a fenced producer of ${this.#name} may go on (${way})`);
  }
}

/** All or nothing, and what an answer said. What can be seen of the outcome is remembered. */
function checkRecords(attempt: Attempt, records: readonly SeenRecord[]): void {
  const { id, writes, commit, isEndAsked } = attempt;
  const count = (value: string): number => records.filter((one) => one.value === value).length;
  for (const { values, isAnswered } of writes) {
    for (const value of values) {
      if (count(value) > 1) throw new Error(`${value} is there twice`);
      if (isAnswered && count(value) === 0) throw new Error(`${value} is lost`);
    }
  }
  const committed = records.filter(({ status }) => status === 'committed').length;
  const sent = writes.reduce((sum, { values }) => sum + values.length, 0);
  if (committed > 0 && committed < sent) throw new Error(`${committed} of ${sent} of ${id} are committed`);
  if (committed > 0 && !(commit && isEndAsked)) throw new Error(`${id} is committed, nobody asked for it`);
  if (committed > 0 && attempt.outcome === 'aborted') throw new Error(`${id} is committed, was aborted`);
  if (attempt.outcome === 'committed' && committed < sent) throw new Error(`${id} is not committed`);
  if (committed > 0) attempt.outcome = 'committed';
  else if (records.some(({ status }) => status === 'aborted')) attempt.outcome = 'aborted';
}
