/**
 * AlterConfigs (33), versions 0 to 2: replaces a topic's whole set of settings; what is not named goes back to
 * the default. Deprecated in favour of IncrementalAlterConfigs, still sent by kafkajs and older tools.
 * Absent: broker settings, which come from the configuration file.
 */
import { alterTopic, type AlterRefusal } from '../server/alter-topic.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { alterConfigs } from '../wire/schemas/index.ts';

type Resource = RequestOf<typeof alterConfigs>['resources'][number];
type Answer = AnswerOf<typeof alterConfigs>['responses'][number];

export default handler({
  api: alterConfigs,
  versions: [0, 2],
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
  // A null value is how older clients say "back to the default".
  const wanted = Object.fromEntries(
    configs.flatMap(({ name, value }) => (value === null ? [] : [[name, value]])),
  );
  const refusal: AlterRefusal | undefined = await alterTopic(
    { resourceType, resourceName, validateOnly, change: () => wanted },
    context,
  );
  return {
    errorCode: refusal?.errorCode ?? CODE.NONE,
    errorMessage: refusal?.errorMessage ?? null,
    resourceType,
    resourceName,
  };
}
