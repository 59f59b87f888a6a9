/**
 * AlterClientQuotas (49), versions 0 to 1. Each entry is judged alone; those that are right hold, and are durable,
 * before the answer. `validate_only` judges and changes nothing.
 */
import { changeProblem, type Entity, entityOf, type QuotaChange } from '../quotas/quota-entity.ts';
import { handler } from '../server/handler.ts';
import type { RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { alterClientQuotas } from '../wire/schemas/index.ts';

type Entry = RequestOf<typeof alterClientQuotas>['entries'][number];

interface Judged {
  readonly entry: Entry;
  readonly change: { readonly entity: Entity; readonly ops: readonly QuotaChange[] } | undefined;
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

export default handler({
  api: alterClientQuotas,
  versions: [0, 1],
  async handle({ entries, validateOnly }, { broker, may }) {
    const mayAlter = may('AlterConfigs', 'Cluster');
    const judged = entries.map((entry) => judge(entry, mayAlter));
    const changes = judged.flatMap(({ change }) => change ?? []);
    const fits = validateOnly || changes.length === 0 || (await broker.quotas.alter(changes));
    return {
      entries: judged.map(({ entry: { entity }, change, errorCode, errorMessage }) =>
        change && !fits
          ? {
              entity,
              errorCode: CODE.POLICY_VIOLATION,
              errorMessage: 'cannot set quotas: got too many entities',
            }
          : { entity, errorCode, errorMessage },
      ),
    };
  },
});

function judge(entry: Entry, mayAlter: boolean): Judged {
  const refused = (errorCode: number, errorMessage: string | null): Judged => ({
    entry,
    change: undefined,
    errorCode,
    errorMessage,
  });
  if (!mayAlter) return refused(CODE.CLUSTER_AUTHORIZATION_FAILED, null);
  const entity = entityOf(entry.entity);
  if ('problem' in entity) return refused(CODE.INVALID_REQUEST, entity.problem as string);
  const ops = entry.ops.map(({ key, value, remove }) => ({ key, value: remove ? undefined : value }));
  for (const op of ops) {
    const problem = changeProblem(entity, op);
    if (problem !== undefined) return refused(CODE.INVALID_REQUEST, problem);
  }
  return { entry, change: { entity, ops }, errorCode: CODE.NONE, errorMessage: null };
}
