/**
 * The coordinator's codes as a client of a certain version understands them. PRODUCER_FENCED is newer than some
 * versions of every API, and producing never answers it; TRANSACTION_ABORTABLE came with KIP-890.
 */
import { CODE } from '../wire/errors.ts';

/** For requests to the coordinator: what came before PRODUCER_FENCED. */
export function fencedAs(errorCode: number, knowsFenced: boolean): number {
  return errorCode === CODE.PRODUCER_FENCED && !knowsFenced ? CODE.INVALID_PRODUCER_EPOCH : errorCode;
}

/** For writes, of which the coordinator was asked whether they belong to a transaction. */
export function writeCode(
  errorCode: number,
  knows: { readonly abortable: boolean; readonly implicitAdd: boolean },
): number {
  switch (errorCode) {
    case CODE.PRODUCER_FENCED:
      return CODE.INVALID_PRODUCER_EPOCH;
    case CODE.TRANSACTION_ABORTABLE:
      return knows.abortable ? errorCode : CODE.INVALID_TXN_STATE;
    case CODE.CONCURRENT_TRANSACTIONS:
      // A producer of before KIP-890 does not expect it here: this one it tries again without asking for metadata.
      return knows.implicitAdd ? errorCode : CODE.NOT_ENOUGH_REPLICAS;
    case CODE.COORDINATOR_NOT_AVAILABLE:
      return CODE.NOT_ENOUGH_REPLICAS;
    default:
      return errorCode;
  }
}
