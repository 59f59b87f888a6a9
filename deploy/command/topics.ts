import { defineCommand } from 'citty';

import { formatTable } from '../terminal/table.ts';
import { formatCount } from '../terminal/quantity.ts';
import { refuseUnknown, settingsArgs } from './options.ts';
import { kafkaArgs, withKafka } from './kafka.ts';

const args = { ...settingsArgs, ...kafkaArgs } as const;

export const command = defineCommand({
  meta: { name: 'topics', description: 'List topics with partitions and records' },
  args,
  async run({ args: given, rawArgs }) {
    refuseUnknown(rawArgs, args, 'topics');
    await withKafka(given, async (kafka) => {
      const admin = await kafka.admin();
      const rows: string[][] = [];
      for (const topic of await admin.topics()) {
        if (topic.internal && given.all !== true) continue;
        const offsets = await admin.offsets(topic.name);
        const records = offsets.reduce((sum, { start, end }) => sum + end - start, 0);
        const written = offsets.reduce((sum, { end }) => sum + end, 0);
        rows.push([topic.name, String(topic.partitions), formatCount(records), formatCount(written)]);
      }
      console.log(formatTable(['TOPIC', 'PARTITIONS', 'RECORDS HELD', 'RECORDS EVER'], rows, 1));
    });
  },
});
