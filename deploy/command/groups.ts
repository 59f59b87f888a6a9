import { defineCommand } from 'citty';

import { groupStatus } from '../../dashboards/query/kafka-routes.ts';
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
      for (const { groupId, state, members, topics } of await groupStatus(admin)) {
        const about = [groupId, state, String(members)];
        if (topics.length === 0) rows.push([...about, '-', '-']);
        for (const { topic, lag } of topics) rows.push([...about, topic, formatCount(lag)]);
      }
      console.log(formatTable(['GROUP', 'STATE', 'MEMBERS', 'TOPIC', 'LAG (RECORDS)'], rows, 4));
    });
  },
});
