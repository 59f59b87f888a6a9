import { DiskLog } from '../../../broker/log/disk-log.ts';
import type { Partition } from '../../../broker/log/partition/partition.ts';
import { Holding, UNKNOWN_POSITIONS } from '../../../broker/log/retention/holding.ts';
import { Housekeeper } from '../../../broker/log/retention/housekeeper.ts';
import { DiskTopics } from '../../../broker/log/topics/disk-topics.ts';
import type { TopicSettings } from '../../../broker/log/topics/topic-settings.ts';
import { replace } from '../planted-in-log.ts';

/** Mistakes that holding could make: `install` puts one in and returns what takes it out again. */
export interface PlantedInHolding {
  readonly name: string;
  readonly install: () => () => void;
}

export const PLANTED_IN_HOLDING: readonly PlantedInHolding[] = [
  {
    name: 'after a start, nothing is held until groups are known',
    install: () =>
      replace(Holding.prototype, 'heldFrom', (holding, heldFrom, partition) =>
        holding.positions === UNKNOWN_POSITIONS ? Number.POSITIVE_INFINITY : heldFrom(partition),
      ),
  },
  {
    name: 'which groups are held for is forgotten over a restart',
    install: () =>
      replace(DiskTopics.prototype, 'restore', async (topics, restore, source) => {
        const cut = await restore(source);
        change(topics.partitions(), () => ({ holdGroups: [] }));
        return cut;
      }),
  },
  {
    name: 'the bound on what is held is not kept',
    install: () => withSettings(() => ({ holdBytes: Number.POSITIVE_INFINITY })),
  },
  {
    name: 'what is held goes a thousand bytes before its bound',
    install: () => withSettings(({ holdBytes }) => ({ holdBytes: holdBytes - 1_000 })),
  },
  {
    name: 'the bound on the disk spares what is held',
    install: () => withSettings(({ holdGroups, isKept }) => ({ isKept: isKept || holdGroups.length > 0 })),
  },
  {
    name: 'only the first of the groups is held for',
    install: () => withSettings(({ holdGroups }) => ({ holdGroups: holdGroups.slice(0, 1) })),
  },
  {
    name: 'a group that has committed nothing, or was deleted, is not held for',
    install: () =>
      replace(DiskLog.prototype, 'waitFor', (_, waitFor, positions) =>
        waitFor({
          positionOf: (group, place) => {
            const position = positions.positionOf(group, place);
            return position === -1 ? Number.MAX_SAFE_INTEGER : position;
          },
        }),
      ),
  },
  {
    name: 'a position is taken for one more than it is',
    install: () =>
      replace(Holding.prototype, 'heldFrom', (_, heldFrom, partition) => heldFrom(partition) + 1),
  },
  {
    name: 'a group that has read everything holds the active segment',
    install: () =>
      replace(Holding.prototype, 'heldFrom', ({ positions }, _, partition) =>
        Math.min(
          ...partition.settings.holdGroups.map((group) =>
            Math.max(0, positions.positionOf(group, partition) ?? 0),
          ),
        ),
      ),
  },
  {
    name: 'where a group has got to is asked once',
    install: () => {
      const asked = new WeakMap<Partition, number>();
      return replace(Holding.prototype, 'heldFrom', (_, heldFrom, partition) => {
        const from = asked.get(partition) ?? heldFrom(partition);
        if (from < Number.POSITIVE_INFINITY) asked.set(partition, from);
        return from;
      });
    },
  },
  {
    name: 'what a group loses is not said',
    install: () => replace(Holding.prototype, 'losing', () => {}),
  },
];

/** Housekeeping goes by other settings than the topic's. */
function withSettings(changed: (settings: TopicSettings) => Partial<TopicSettings>): () => void {
  const done = new WeakSet<TopicSettings>();
  return replace(Housekeeper.prototype, 'partitions', (_, partitions) => {
    const all = partitions();
    change(all, (settings) => (done.has(settings) ? {} : changed(settings)));
    for (const { settings } of all) done.add(settings);
    return all;
  });
}

function change(
  partitions: readonly Partition[],
  changed: (settings: TopicSettings) => Partial<TopicSettings>,
): void {
  for (const partition of partitions)
    partition.settings = { ...partition.settings, ...changed(partition.settings) };
}
