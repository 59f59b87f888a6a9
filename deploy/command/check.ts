import { defineCommand } from 'citty';

import { hideSecrets } from '../config/hide-secrets.ts';
import { partsOf, planPart, seams } from '../parts/plan.ts';
import { formatTable } from '../terminal/table.ts';
import { refuseUnknown, settingsArgs, settingsOf } from './options.ts';

const args = {
  ...settingsArgs,
  json: { type: 'boolean', description: 'Print the whole configuration of every part as JSON' },
} as const;

export const command = defineCommand({
  meta: { name: 'check', description: 'Check the settings and show what each part would run with' },
  args,
  async run({ args: given, rawArgs }) {
    refuseUnknown(rawArgs, args, 'check');
    const loaded = await settingsOf(given);
    const plans = await Promise.all(partsOf(loaded).map((name) => planPart(name, loaded)));
    if (given.json === true) {
      const parts = Object.fromEntries(plans.map(({ name, config }) => [name, config]));
      console.log(JSON.stringify(parts, hideSecrets, 2));
      return;
    }
    const { brokers, clickhouseUrl, collectorUrl, webUrl } = seams(loaded);
    console.log(
      formatTable(
        ['SEAM', 'ADDRESS'],
        [
          ['viewer, APIs', webUrl],
          ['OTLP/HTTP', collectorUrl],
          ['Kafka', brokers.join(',')],
          ['ClickHouse', clickhouseUrl],
          ['data', loaded.settings.dataDir],
          ['parts', plans.map(({ name }) => name).join(' ')],
        ],
        9,
      ),
    );
    console.log('\nThe settings are good.');
  },
});
