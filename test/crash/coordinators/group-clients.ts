import {
  consumerGroupHeartbeat,
  createTopics,
  heartbeat,
  joinGroup,
  offsetCommit,
  syncGroup,
} from '../../../broker/wire/schemas/index.ts';
import type { SimRandom } from '../../sim/sim-random.ts';
import type { BrokerProcess } from './broker-process.ts';
import type { SimClient } from './sim-client.ts';
import type { View } from './view.ts';

const ILLEGAL_GENERATION = 22;
const UNKNOWN_MEMBER_ID = 25;
const REBALANCE_IN_PROGRESS = 27;
const TOPIC_ALREADY_EXISTS = 36;
const MEMBER_ID_REQUIRED = 79;
const FENCED_MEMBER_EPOCH = 110;

/** Positions that grow: as told, or the one that was on its way. */
class Positions {
  readonly #groupId: string;
  #told = -1;
  #asked = -1;

  constructor(groupId: string) {
    this.#groupId = groupId;
  }

  /** The code of the answer. */
  async commit(process: BrokerProcess, memberId = '', generation = -1): Promise<number> {
    this.#asked += 1;
    const { topics } = await process.ask(offsetCommit, 9, {
      groupId: this.#groupId,
      generationIdOrMemberEpoch: generation,
      memberId,
      topics: [
        {
          name: 'data',
          partitions: [0, 1].map((partitionIndex) => ({
            partitionIndex,
            committedOffset: this.#asked,
            committedMetadata: '',
          })),
        },
      ],
    });
    const codes = topics[0]!.partitions.map(({ errorCode }) => errorCode);
    if (codes.every((code) => code === 0)) this.#told = this.#asked;
    return Math.max(...codes);
  }

  check({ positions }: View): void {
    const seen = [0, 1].map((partition) => positions.get(`${this.#groupId}/data-${partition}`) ?? -1);
    for (const at of seen) {
      if (at !== this.#told && at !== this.#asked) {
        throw new Error(`the position of ${this.#groupId} is ${at}, was told ${this.#told}`);
      }
    }
    this.#told = Math.min(...seen);
  }
}

/** Commits without being a member. */
export class Committer implements SimClient {
  readonly groupIds = ['committer'];
  readonly #positions = new Positions('committer');

  async live(process: BrokerProcess, random: SimRandom, actions: number): Promise<void> {
    for (let i = 0; i < actions; i += 1) {
      await process.sleep(random.unit() * 3);
      const code = await this.#positions.commit(process);
      if (code !== 0) throw new Error(`cannot commit: got ${code}`);
    }
  }

  check(view: View): void {
    this.#positions.check(view);
  }
}

/** The only member of a classic group: who it is outlives the broker. */
export class ClassicMember implements SimClient {
  readonly groupIds = ['classic'];
  readonly #positions = new Positions('classic');
  #memberId = '';
  /** As of the last SyncGroup that was answered. */
  #told: { readonly memberId: string; readonly generation: number; readonly assignment: string } | undefined;
  #isJoinAsked = false;

  async live(process: BrokerProcess, random: SimRandom, actions: number): Promise<void> {
    if (this.#told) await this.#returns(process);
    else await this.#join(process, random);
    for (let i = 0; i < actions; i += 1) {
      await process.sleep(random.unit() * 3);
      if (random.chance(0.3)) await this.#join(process, random);
      const { memberId, generation } = this.#told!;
      const code = await this.#positions.commit(process, memberId, generation);
      if (code !== 0) throw new Error(`a member cannot commit: got ${code}`);
    }
  }

  check(view: View): void {
    this.#positions.check(view);
  }

  async #returns(process: BrokerProcess): Promise<void> {
    const { memberId, generation, assignment } = this.#told!;
    const request = { groupId: 'classic', generationId: generation, memberId };
    const { errorCode } = await process.ask(heartbeat, 4, request);
    const mayHaveMoved = errorCode === ILLEGAL_GENERATION || errorCode === REBALANCE_IN_PROGRESS;
    if (errorCode !== 0 && !(this.#isJoinAsked && mayHaveMoved)) {
      throw new Error(`${memberId} of generation ${generation} is answered ${errorCode} after a restart`);
    }
    if (this.#isJoinAsked || errorCode !== 0) return await this.#join(process, undefined);
    const again = await process.ask(syncGroup, 5, { ...request, ...PROTOCOL, assignments: [] });
    if (again.errorCode !== 0 || again.assignment.toString() !== assignment) {
      throw new Error(`${memberId} had ${assignment}, has ${again.errorCode} ${again.assignment.toString()}`);
    }
  }

  async #join(process: BrokerProcess, random: SimRandom | undefined): Promise<void> {
    this.#isJoinAsked = true;
    let joined = await this.#joinOnce(process);
    if (joined.errorCode === MEMBER_ID_REQUIRED) {
      this.#memberId = joined.memberId;
      joined = await this.#joinOnce(process);
    }
    // An id that was given, but never joined, is not kept.
    if (joined.errorCode === UNKNOWN_MEMBER_ID && !this.#told) {
      this.#memberId = '';
      return await this.#join(process, random);
    }
    if (joined.errorCode !== 0) throw new Error(`cannot join: got ${joined.errorCode}`);
    const { memberId, generationId } = joined;
    if (this.#told && generationId <= this.#told.generation) {
      throw new Error(`generation ${generationId} follows ${this.#told.generation}`);
    }
    const assignment = `a${generationId}`;
    const synced = await process.ask(syncGroup, 5, {
      groupId: 'classic',
      generationId,
      memberId,
      ...PROTOCOL,
      assignments: [{ memberId, assignment: Buffer.from(assignment) }],
    });
    if (synced.errorCode !== 0) throw new Error(`cannot sync: got ${synced.errorCode}`);
    this.#told = { memberId, generation: generationId, assignment };
    this.#isJoinAsked = false;
  }

  #joinOnce(process: BrokerProcess) {
    return process.ask(joinGroup, 9, {
      groupId: 'classic',
      sessionTimeoutMs: 600_000,
      rebalanceTimeoutMs: 600_000,
      memberId: this.#memberId,
      protocolType: PROTOCOL.protocolType,
      protocols: [{ name: PROTOCOL.protocolName, metadata: Buffer.from('m') }],
    });
  }
}

const PROTOCOL = { protocolType: 'consumer', protocolName: 'range' };

/** The only member of a group of KIP-848. */
export class ConsumerMember implements SimClient {
  readonly groupIds = ['consumer'];
  readonly #positions = new Positions('consumer');
  #told = 0;
  #isAsked = false;

  async live(process: BrokerProcess, random: SimRandom, actions: number): Promise<void> {
    const code = await this.#heartbeat(process, this.#told);
    if (code !== 0) {
      if (!(code === FENCED_MEMBER_EPOCH && this.#isAsked)) {
        throw new Error(`a member of epoch ${this.#told} is answered ${code} after a restart`);
      }
      await this.#heartbeat(process, 0);
    }
    for (let i = 0; i < actions; i += 1) {
      await process.sleep(random.unit() * 3);
      if (random.chance(0.3)) {
        const again = await this.#heartbeat(process, random.chance(0.5) ? 0 : this.#told);
        if (again !== 0) throw new Error(`a heartbeat is answered ${again}`);
      }
      const committed = await this.#positions.commit(process, 'member', this.#told);
      if (committed !== 0) throw new Error(`a member of epoch ${this.#told} cannot commit: got ${committed}`);
    }
  }

  check(view: View): void {
    this.#positions.check(view);
  }

  async #heartbeat(process: BrokerProcess, memberEpoch: number): Promise<number> {
    const wasAsked = this.#isAsked;
    this.#isAsked = true;
    const answer = await process.ask(consumerGroupHeartbeat, 1, {
      groupId: 'consumer',
      memberId: 'member',
      memberEpoch,
      rebalanceTimeoutMs: 600_000,
      subscribedTopicNames: ['data'],
      topicPartitions: [],
    });
    this.#isAsked = answer.errorCode !== 0 && wasAsked;
    if (answer.errorCode !== 0) return answer.errorCode;
    if (answer.memberEpoch < this.#told) {
      throw new Error(`epoch ${answer.memberEpoch} follows ${this.#told}`);
    }
    this.#told = answer.memberEpoch;
    return 0;
  }
}

/** Makes topics. */
export class TopicMaker implements SimClient {
  readonly groupIds = [];
  readonly #told = new Map<string, string>();
  #next = 0;

  async live(process: BrokerProcess, random: SimRandom, actions: number): Promise<void> {
    for (let i = 0; i < actions / 8; i += 1) {
      await process.sleep(random.unit() * 10);
      const name = `made-${this.#next}`;
      this.#next += 1;
      const { topics } = await process.ask(createTopics, 7, {
        topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
        timeoutMs: 1_000,
        validateOnly: false,
      });
      const { errorCode, topicId } = topics[0]!;
      if (errorCode === TOPIC_ALREADY_EXISTS) continue;
      if (errorCode !== 0) throw new Error(`cannot create ${name}: got ${errorCode}`);
      this.#told.set(name, topicId);
    }
  }

  check({ topicIds }: View): void {
    for (const [name, id] of this.#told) {
      if (topicIds.get(name) !== id) throw new Error(`topic ${name} is lost, or another`);
    }
  }
}
