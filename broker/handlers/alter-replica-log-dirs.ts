/**
 * AlterReplicaLogDirs (34), versions 1 to 2: there is one directory, in which every partition is already; any other is
 * LOG_DIR_NOT_FOUND.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { alterReplicaLogDirs } from '../wire/schemas/index.ts';

export default handler({
  api: alterReplicaLogDirs,
  versions: [1, 2],
  handle({ dirs }, { broker, may }) {
    const isAllowed = may('Alter', 'Cluster');
    const codeFor = (path: string, topic: string, index: number): number => {
      if (!isAllowed) return CODE.CLUSTER_AUTHORIZATION_FAILED;
      if (path !== broker.config.dataDir) return CODE.LOG_DIR_NOT_FOUND;
      const partition = broker.topics.partition(broker.log.topic(topic), index, false);
      return typeof partition === 'number' ? partition : CODE.NONE;
    };
    return {
      results: dirs.flatMap(({ path, topics }) =>
        topics.map(({ name, partitions }) => ({
          topicName: name,
          partitions: partitions.map((partitionIndex) => ({
            partitionIndex,
            errorCode: codeFor(path, name, partitionIndex),
          })),
        })),
      ),
    };
  },
});
