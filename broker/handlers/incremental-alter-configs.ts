/**
 * IncrementalAlterConfigs (44), versions 0 to 1: sets (0) or deletes (1) single settings of a topic, broker, group or
 * subscription to client metrics, or appends (2) to and subtracts (3) from one that is a list. All of a resource or
 * nothing.
 * Absent: the levels of broker loggers.
 */
import { ConfigRefusal } from '../configs/admin-configs.ts';
import { type Alterable, alterResource } from '../configs/alter.ts';
import { type Configs, itemsOf } from '../configs/definition.ts';
import { repeatedResources } from '../configs/repeated.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { incrementalAlterConfigs } from '../wire/schemas/index.ts';

type Operations = RequestOf<typeof incrementalAlterConfigs>['resources'][number]['configs'];
type Answer = AnswerOf<typeof incrementalAlterConfigs>['responses'][number];

const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

export default handler({
  api: incrementalAlterConfigs,
  versions: [0, 1],
  async handle({ resources, validateOnly }, context) {
    const { once, refused } = repeatedResources(resources);
    const responses: Answer[] = [...refused];
    for (const { resourceType, resourceName, configs } of once) {
      const change = (resource: Alterable) => applied(resource, configs);
      responses.push(await alterResource({ resourceType, resourceName, validateOnly, change }, context));
    }
    return { responses };
  },
});

/** The settings after all operations. @throws ConfigRefusal */
function applied({ now, effective, typeOf }: Alterable, operations: Operations): Configs {
  const next: Record<string, string> = { ...now };
  const seen = new Set<string>();
  for (const { name, configOperation, value } of operations) {
    const cannot = `cannot alter ${name.slice(0, 300)}`;
    if (seen.has(name)) throw new ConfigRefusal('INVALID_REQUEST', `${cannot}: got it twice`);
    seen.add(name);
    if (configOperation === DELETE) {
      delete next[name];
      continue;
    }
    if (value === null) throw new ConfigRefusal('INVALID_REQUEST', `${cannot}: got null, want a value`);
    if (configOperation === SET) {
      next[name] = value;
      continue;
    }
    if (configOperation !== APPEND && configOperation !== SUBTRACT) {
      const message = `${cannot}: got operation ${configOperation}, want 0 to 3`;
      throw new ConfigRefusal('INVALID_REQUEST', message);
    }
    if (typeOf(name) !== 'list') {
      throw new ConfigRefusal('INVALID_CONFIG', `${cannot}: append and subtract want a list`);
    }
    const items = itemsOf(next[name] ?? effective(name) ?? '');
    const given = itemsOf(value);
    next[name] = (
      configOperation === APPEND
        ? [...items, ...given.filter((item) => !items.includes(item))]
        : items.filter((item) => !given.includes(item))
    ).join(',');
  }
  return next;
}
