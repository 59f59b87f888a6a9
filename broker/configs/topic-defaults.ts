import type { BrokerLog } from '../log/log.ts';
import type { AdminConfigs } from './admin-configs.ts';
import type { Configs } from './definition.ts';
import { topicDefaults } from './topic-configs.ts';

/** What the log has no default of its own for. */
const KAFKA_DEFAULTS: Configs = { 'log.message.timestamp.after.max.ms': '3600000' };

/** Topics that do not say themselves follow the broker's settings, now and after every change of them. */
export function followTopicDefaults(
  log: Pick<BrokerLog, 'changeDefaults'>,
  admin: Pick<AdminConfigs, 'broker' | 'onChange'>,
): void {
  const follow = () => log.changeDefaults(topicDefaults({ ...KAFKA_DEFAULTS, ...admin.broker }));
  follow();
  admin.onChange(follow);
}
