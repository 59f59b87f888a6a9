import { CODE } from '../wire/errors.ts';
import type { AlterAnswer } from './alter.ts';

interface Named {
  readonly resourceType: number;
  readonly resourceName: string;
}

/** A resource that one request names several times is refused once and not changed: which one would hold? */
export function repeatedResources<T extends Named>(
  resources: readonly T[],
): { once: readonly T[]; refused: AlterAnswer[] } {
  const counts = new Map<string, number>();
  const keyOf = ({ resourceType, resourceName }: Named) => `${resourceType} ${resourceName}`;
  for (const one of resources) counts.set(keyOf(one), (counts.get(keyOf(one)) ?? 0) + 1);
  const refused = new Map<string, AlterAnswer>();
  for (const one of resources) {
    if (counts.get(keyOf(one)) === 1) continue;
    const { resourceType, resourceName } = one;
    const errorMessage = 'cannot alter a resource: got it several times in one request, want once';
    refused.set(keyOf(one), { errorCode: CODE.INVALID_REQUEST, errorMessage, resourceType, resourceName });
  }
  return {
    once: resources.filter((one) => !refused.has(keyOf(one))),
    refused: [...refused.values()],
  };
}
