/**
 * IncrementalAlterConfigs (44), versions 0 to 1: sets (0) or deletes (1) single settings of a topic, or appends (2)
 * to and subtracts (3) from one that is a list. All of a resource or nothing.
 * Absent: broker settings, which come from the configuration file.
 */
import { alterTopic } from '../server/alter-topic.ts';
import type { RequestContext } from '../server/broker.ts';
import { isListConfig } from '../server/configs.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { incrementalAlterConfigs } from '../wire/schemas/index.ts';

type Resource = RequestOf<typeof incrementalAlterConfigs>['resources'][number];
type Answer = AnswerOf<typeof incrementalAlterConfigs>['responses'][number];
type Configs = Readonly<Record<string, string>>;

const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

export default handler({
  api: incrementalAlterConfigs,
  versions: [0, 1],
  async handle({ resources, validateOnly }, context) {
    const responses: Answer[] = [];
    for (const resource of resources) responses.push(await alter(resource, validateOnly, context));
    return { responses };
  },
});

async function alter(
  { resourceType, resourceName, configs }: Resource,
  validateOnly: boolean,
  context: RequestContext,
): Promise<Answer> {
  const refusal = await alterTopic(
    {
      resourceType,
      resourceName,
      validateOnly,
      change: (now, effective) => applied(now, effective, configs),
    },
    context,
  );
  return {
    errorCode: refusal?.errorCode ?? CODE.NONE,
    errorMessage: refusal?.errorMessage ?? null,
    resourceType,
    resourceName,
  };
}

/** The settings after all operations, or why they cannot be. */
function applied(now: Configs, effective: Configs, operations: Resource['configs']): Configs | string {
  const next: Record<string, string> = { ...now };
  for (const { name, configOperation, value } of operations) {
    if (configOperation === DELETE) {
      delete next[name];
      continue;
    }
    if (value === null) return `cannot alter ${name.slice(0, 300)}: got null, want a value`;
    if (configOperation === SET) {
      next[name] = value;
      continue;
    }
    if (configOperation !== APPEND && configOperation !== SUBTRACT) {
      return `cannot alter ${name.slice(0, 300)}: got operation ${configOperation}, want 0 to 3`;
    }
    if (!isListConfig(name)) return `cannot alter ${name.slice(0, 300)}: append and subtract want a list`;
    const items = (next[name] ?? effective[name] ?? '').split(',').filter((item) => item !== '');
    const given = value.split(',').map((item) => item.trim());
    const rest = items.filter((item) => !given.includes(item));
    next[name] = (configOperation === APPEND ? [...rest, ...given] : rest).join(',');
  }
  return next;
}
