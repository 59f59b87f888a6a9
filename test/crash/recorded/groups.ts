import { createTopics, offsetCommit } from '../../../broker/wire/schemas/index.ts';
import { BrokerProcess } from '../coordinators/broker-process.ts';
import { TOPICS } from '../coordinators/sim-client.ts';
import { lookAt } from '../coordinators/view.ts';
import type { Recording } from './record.ts';

const GROUPS = ['one', 'two'];

/** Positions of two groups, through the handlers: a start must find each as it was answered, or the one that was on its way. */
export function groupsRecording(): Recording {
  const told = new Map<string, number>();
  const asked = new Map<string, number>();
  let count = 0;
  return {
    name: 'groups',
    tornStep: 31,
    promises: () => count,
    async work(host) {
      const process = await BrokerProcess.start(host);
      const topics = Object.entries(TOPICS).map(([name, numPartitions]) => ({
        name,
        numPartitions,
        replicationFactor: 1,
        assignments: [],
        configs: [],
      }));
      await process.ask(createTopics, 7, { topics, timeoutMs: 1_000, validateOnly: false });
      for (let i = 0; i < 5; i += 1) {
        const groupId = GROUPS[i % 2]!;
        asked.set(groupId, i);
        const partitions = [{ partitionIndex: 0, committedOffset: i, committedMetadata: '' }];
        const answer = await process.ask(offsetCommit, 9, {
          groupId,
          generationIdOrMemberEpoch: -1,
          memberId: '',
          topics: [{ name: 'data', partitions }],
        });
        const { errorCode } = answer.topics[0]!.partitions[0]!;
        if (errorCode !== 0) throw new Error(`cannot commit: got ${errorCode}`);
        told.set(groupId, i);
        count += 1;
      }
      await process.stop();
    },
    async look(host) {
      const process = await BrokerProcess.start(host);
      const { positions } = await lookAt(process, GROUPS);
      const seen: string[] = [];
      for (const groupId of GROUPS) {
        const at = positions.get(`${groupId}/data-0`) ?? -1;
        const isRight = at === (told.get(groupId) ?? -1) || at === (asked.get(groupId) ?? -1);
        if (!isRight) throw new Error(`${groupId} is at ${at}, was told ${told.get(groupId)}`);
        seen.push(`${groupId} ${at}`);
      }
      return seen.join();
    },
  };
}
