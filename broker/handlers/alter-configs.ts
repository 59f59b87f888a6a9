/**
 * AlterConfigs (33), versions 0 to 2: replaces a resource's whole set of settings; what is not named goes back to
 * the default. Deprecated in favour of IncrementalAlterConfigs, still sent by kafkajs and older tools.
 * Absent: broker loggers.
 */
import { ConfigRefusal } from '../configs/admin-configs.ts';
import { alterResource } from '../configs/alter.ts';
import { repeatedResources } from '../configs/repeated.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { alterConfigs } from '../wire/schemas/index.ts';

type Given = RequestOf<typeof alterConfigs>['resources'][number]['configs'];
type Answer = AnswerOf<typeof alterConfigs>['responses'][number];

export default handler({
  api: alterConfigs,
  versions: [0, 2],
  async handle({ resources, validateOnly }, context) {
    const { once, refused } = repeatedResources(resources);
    const responses: Answer[] = [...refused];
    for (const { resourceType, resourceName, configs } of once) {
      const change = () => wholeSet(configs);
      responses.push(await alterResource({ resourceType, resourceName, validateOnly, change }, context));
    }
    return { responses };
  },
});

/** @throws ConfigRefusal */
function wholeSet(configs: Given): Record<string, string> {
  const next: Record<string, string> = {};
  for (const { name, value } of configs) {
    const cannot = `cannot alter ${name.slice(0, 300)}`;
    if (value === null) throw new ConfigRefusal('INVALID_REQUEST', `${cannot}: got null, want a value`);
    if (Object.hasOwn(next, name)) throw new ConfigRefusal('INVALID_REQUEST', `${cannot}: got it twice`);
    next[name] = value;
  }
  return next;
}
