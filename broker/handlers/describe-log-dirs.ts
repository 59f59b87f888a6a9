/**
 * DescribeLogDirs (35), versions 1 to 5: the one directory there is, and what partitions take in it; null asks for all
 * topics. v3 has an error of its own for who may not ask, v4 the size of the disk, v5
 * whether it is closed to new partitions, which it never is.
 */
import type { Broker } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { describeLogDirs } from '../wire/schemas/index.ts';

type Asked = RequestOf<typeof describeLogDirs>['topics'];
type Topics = AnswerOf<typeof describeLogDirs>['results'][number]['topics'];

export default handler({
  api: describeLogDirs,
  versions: [1, 5],
  async handle({ topics }, { broker, may, version }) {
    if (!may('Describe', 'Cluster')) {
      return { errorCode: version >= 3 ? CODE.CLUSTER_AUTHORIZATION_FAILED : CODE.NONE, results: [] };
    }
    const { dataDir } = broker.config;
    const space = version >= 4 ? await broker.host.files.space(dataDir).catch(() => undefined) : undefined;
    return {
      errorCode: CODE.NONE,
      results: [
        {
          errorCode: CODE.NONE,
          logDir: dataDir,
          topics: partitionsOf(topics, broker),
          totalBytes: space?.totalBytes ?? -1,
          usableBytes: space?.freeBytes ?? -1,
        },
      ],
    };
  },
});

/** What is not there is left out, as in Kafka. */
function partitionsOf(asked: Asked, { log }: Broker): Topics {
  const wanted =
    asked === null
      ? log.topics().map((topic) => ({ topic, isWanted: () => true }))
      : asked.flatMap(({ topic: name, partitions }) => {
          const topic = log.topic(name);
          return topic ? [{ topic, isWanted: (index: number) => partitions.includes(index) }] : [];
        });
  return wanted
    .map(({ topic, isWanted }) => ({
      name: topic.name,
      partitions: topic.partitions
        .filter(({ partition }) => isWanted(partition))
        .map(({ partition, sizeBytes }) => ({
          partitionIndex: partition,
          partitionSize: sizeBytes,
          offsetLag: 0,
          isFutureKey: false,
        })),
    }))
    .filter(({ partitions }) => partitions.length > 0);
}
