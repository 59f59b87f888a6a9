/**
 * ListTransactions (66), versions 0 to 2. Filters by state and producer id; v1 by how long a transaction is open; v2 by an
 * expression that the whole id has to match (KIP-1152), in linear time. States that do not exist are named in the
 * answer and match nothing.
 */
import { RE2JS } from 're2js';

import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { isPreparing, STATES, type TransactionValue } from '../transactions/transaction-value.ts';
import type { RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { listTransactions } from '../wire/schemas/index.ts';

type Filters = RequestOf<typeof listTransactions>;

export default handler({
  api: listTransactions,
  versions: [0, 2],
  handle(request, { broker, may }: RequestContext) {
    const pattern = patternOf(request.transactionalIdPattern);
    if (pattern === 'malformed') {
      return { errorCode: CODE.INVALID_REGULAR_EXPRESSION, unknownStateFilters: [], transactionStates: [] };
    }
    const known: readonly string[] = STATES;
    const unknownStateFilters = request.stateFilters.filter((state) => !known.includes(state));
    const nowMs = broker.host.clock.nowMs();
    const transactionStates = [...broker.transactions.list()].flatMap(({ transactionalId, value }) => {
      const fits =
        matches(value, request, nowMs) &&
        (pattern === undefined || pattern.testExact(transactionalId)) &&
        may('Describe', 'TransactionalId', transactionalId);
      const { producerId, state } = value;
      return fits ? [{ transactionalId, producerId, transactionState: state }] : [];
    });
    return { errorCode: CODE.NONE, unknownStateFilters, transactionStates };
  },
});

/** An empty one asks for nothing. */
function patternOf(expression: string | null): RE2JS | undefined | 'malformed' {
  if (!expression) return undefined;
  try {
    return RE2JS.compile(expression);
  } catch {
    return 'malformed';
  }
}

function matches(value: TransactionValue, filters: Filters, nowMs: number): boolean {
  const { stateFilters, producerIdFilters, durationFilter } = filters;
  if (value.state === 'Dead') return false;
  if (stateFilters.length > 0 && !stateFilters.includes(value.state)) return false;
  if (producerIdFilters.length > 0 && !producerIdFilters.includes(value.producerId)) return false;
  if (durationFilter < 0) return true;
  const isOpen = value.state === 'Ongoing' || isPreparing(value);
  return isOpen && nowMs - value.startMs > durationFilter;
}
