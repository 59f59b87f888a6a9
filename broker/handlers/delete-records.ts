/**
 * DeleteRecords (21), versions 0 to 2: moves the start of partitions; -1 stands for the high watermark. An offset below
 * the start changes nothing and is answered with the start there is. A topic that is compacted only keeps its records.
 */
import type { Topic } from '../log/log.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { codeOf } from '../server/topics.ts';
import { itemsOf } from '../configs/definition.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { deleteRecords } from '../wire/schemas/index.ts';

type Answer = AnswerOf<typeof deleteRecords>['topics'][number]['partitions'][number];

const TO_HIGH_WATERMARK = -1;

export default handler({
  api: deleteRecords,
  versions: [0, 2],
  async handle({ topics }, context) {
    return {
      topics: await Promise.all(
        topics.map(async ({ name, partitions }) => {
          const refusal = refusalFor(name, context);
          return {
            name,
            partitions: await Promise.all(
              partitions.map(async (asked) =>
                refusal === undefined
                  ? moveStart(name, asked, context)
                  : { partitionIndex: asked.partitionIndex, lowWatermark: -1, errorCode: refusal },
              ),
            ),
          };
        }),
      ),
    };
  },
});

function refusalFor(name: string, { broker, may }: RequestContext): number | undefined {
  if (!may('Delete', 'Topic', name)) return CODE.TOPIC_AUTHORIZATION_FAILED;
  const topic = broker.log.topic(name);
  if (!topic) return CODE.UNKNOWN_TOPIC_OR_PARTITION;
  if (topic.internal) return CODE.INVALID_TOPIC_EXCEPTION;
  return isDeletable(topic, broker.configs.admin.broker) ? undefined : CODE.POLICY_VIOLATION;
}

/** An empty policy, unlike a compacted topic, promises nothing to those who look for a key. */
function isDeletable({ configs }: Topic, brokerConfigs: Readonly<Record<string, string>>): boolean {
  const policies = itemsOf(configs['cleanup.policy'] ?? brokerConfigs['log.cleanup.policy'] ?? 'delete');
  return policies.includes('delete') || !policies.includes('compact');
}

async function moveStart(
  name: string,
  { partitionIndex, offset }: { partitionIndex: number; offset: number },
  { broker }: RequestContext,
): Promise<Answer> {
  const refuse = (errorCode: number) => ({ partitionIndex, lowWatermark: -1, errorCode });
  const partition = broker.topics.partition(broker.log.topic(name), partitionIndex, false);
  if (typeof partition === 'number') return refuse(partition);
  if (offset < TO_HIGH_WATERMARK) return refuse(CODE.OFFSET_OUT_OF_RANGE);
  try {
    await partition.deleteBefore(offset === TO_HIGH_WATERMARK ? partition.highWatermark : offset);
    return { partitionIndex, lowWatermark: partition.startOffset, errorCode: CODE.NONE };
  } catch (error) {
    return refuse(codeOf(error));
  }
}
