import type { BrokerLog } from '../log/log.ts';
import type { AdminConfigs } from './admin-configs.ts';
import { topicDefaults } from './topic-configs.ts';

/** Topics that do not say themselves follow the broker's settings, now and after every change of them. */
export function followTopicDefaults(
  log: Pick<BrokerLog, 'changeDefaults'>,
  admin: Pick<AdminConfigs, 'broker' | 'onChange'>,
): void {
  const follow = () => log.changeDefaults(topicDefaults(admin.broker));
  follow();
  admin.onChange(follow);
}
