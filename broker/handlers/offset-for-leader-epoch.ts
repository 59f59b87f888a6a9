/**
 * OffsetForLeaderEpoch (23), versions 2 to 4 (librdkafka sends exactly 2): where an epoch ended, so that a
 * consumer notices a log that was cut. Unknown epochs are -1 and -1.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { offsetForLeaderEpoch } from '../wire/schemas/index.ts';
import { epochRefusal } from './leader-epoch.ts';

export default handler({
  api: offsetForLeaderEpoch,
  versions: [2, 4],
  handle(request, { broker, may }) {
    return {
      topics: request.topics.map(({ topic: name, partitions }) => {
        const topic = broker.log.topic(name);
        const isAllowed = may('Describe', 'Topic', name);
        return {
          topic: name,
          partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => {
            if (!isAllowed) return { errorCode: CODE.TOPIC_AUTHORIZATION_FAILED, partition };
            const log = broker.topics.partition(topic, partition, false);
            if (typeof log === 'number') return { errorCode: log, partition };
            const refusal = epochRefusal(log, currentLeaderEpoch);
            if (refusal !== undefined) return { errorCode: refusal, partition };
            const { epoch, endOffset } = log.endOffsetForEpoch(leaderEpoch);
            return { errorCode: CODE.NONE, partition, leaderEpoch: epoch, endOffset };
          }),
        };
      }),
    };
  },
});
