/**
 * DescribeClientQuotas (48), versions 0 to 1. An entity is a user, a client id, both, or an address; a null name is
 * the default of its kind. Match type 0 is this name, 1 the default, 2 any of the kind; `strict` leaves out entities
 * that have parts which no filter names.
 */
import { type EntityFilter, isEntityType } from '../quotas/quota-entity.ts';
import { handler } from '../server/handler.ts';
import type { RequestOf } from '../wire/codec.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { describeClientQuotas } from '../wire/schemas/index.ts';

const EXACT = 0;
const DEFAULT = 1;
const ANY = 2;

export default handler({
  api: describeClientQuotas,
  versions: [0, 1],
  handle({ components, strict }, { broker, may }) {
    if (!may('DescribeConfigs', 'Cluster')) return refused('CLUSTER_AUTHORIZATION_FAILED', null);
    const filters = filtersOf(components);
    if (!Array.isArray(filters)) return refused(...filters.refusal);
    return {
      errorCode: CODE.NONE,
      errorMessage: null,
      entries: broker.quotas.describe(filters, strict).map(({ entity, values }) => ({
        entity: Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName })),
        values: Object.entries(values).map(([key, value]) => ({ key, value })),
      })),
    };
  },
});

function filtersOf(
  components: RequestOf<typeof describeClientQuotas>['components'],
): EntityFilter[] | { readonly refusal: [ErrorName, string] } {
  const filters: EntityFilter[] = [];
  for (const { entityType, matchType, match } of components) {
    const cannot = `cannot filter quotas by ${entityType}`;
    if (!isEntityType(entityType))
      return { refusal: ['UNSUPPORTED_VERSION', `${cannot}: got an unknown type`] };
    if (filters.some(({ type }) => type === entityType)) {
      return { refusal: ['INVALID_REQUEST', `${cannot}: got it twice`] };
    }
    if (matchType === EXACT && match !== null) filters.push({ type: entityType, name: match });
    else if (matchType === DEFAULT && match === null) filters.push({ type: entityType, name: null });
    else if (matchType === ANY && match === null) filters.push({ type: entityType, name: undefined });
    else return { refusal: ['INVALID_REQUEST', `${cannot}: got match type ${matchType} with ${match}`] };
  }
  if (filters.length > 1 && filters.some(({ type }) => type === 'ip')) {
    return { refusal: ['INVALID_REQUEST', 'cannot filter quotas by ip and others at once'] };
  }
  return filters;
}

function refused(error: ErrorName, errorMessage: string | null) {
  return { errorCode: CODE[error], errorMessage, entries: null };
}
