import { defineCommand } from 'citty';

import { formatCount } from '../terminal/quantity.ts';
import { formatTable } from '../terminal/table.ts';
import { kafkaArgs, withKafka } from './kafka.ts';
import { refuseUnknown, settingsArgs } from './options.ts';

const args = { ...settingsArgs, ...kafkaArgs } as const;

export const command = defineCommand({
  meta: { name: 'groups', description: 'List consumer groups with members and lag per topic' },
  args,
  async run({ args: given, rawArgs }) {
    refuseUnknown(rawArgs, args, 'groups');
    await withKafka(given, async (kafka) => {
      const admin = await kafka.admin();
      const rows: string[][] = [];
      for (const group of await admin.groups()) {
        const byTopic = new Map<string, Map<number, number>>();
        for (const { topic, partition, offset } of await admin.committed(group.groupId)) {
          if (!byTopic.has(topic)) byTopic.set(topic, new Map());
          byTopic.get(topic)!.set(partition, offset);
        }
        const about = [group.groupId, group.state, String(group.members.length)];
        if (byTopic.size === 0) rows.push([...about, '-', '-']);
        for (const [topic, committed] of [...byTopic].sort(([a], [b]) => (a < b ? -1 : 1))) {
          let lag = 0;
          for (const { partition, start, end } of await admin.offsets(topic)) {
            lag += end - Math.max(start, committed.get(partition) ?? start);
          }
          rows.push([...about, topic, formatCount(lag)]);
        }
      }
      console.log(formatTable(['GROUP', 'STATE', 'MEMBERS', 'TOPIC', 'LAG (RECORDS)'], rows, 4));
    });
  },
});
