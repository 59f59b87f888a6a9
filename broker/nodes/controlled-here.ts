/** What the controller answers, and nobody else. */
import { CODE } from '../wire/errors.ts';
import type { Route, Routed } from './route.ts';
import { type Body, type EntryPlaces, splitEntries } from './split.ts';

export async function controlledHere(routed: Routed): Promise<unknown> {
  if (isController(routed)) return routed.next(routed.request);
  return { errorCode: CODE.NOT_CONTROLLER };
}

export function eachControlledHere(asked: EntryPlaces['asked'], answered: EntryPlaces['answered']): Route {
  return async (routed) => {
    if (isController(routed)) return routed.next(routed.request);
    return splitEntries(routed.request, { asked, answered }, () => ({
      errorCode: CODE.NOT_CONTROLLER,
      errorMessage: 'This is not the correct controller for this cluster.',
    })).merge({});
  };
}

export async function deleteOnController(routed: Routed): Promise<unknown> {
  if (isController(routed)) return routed.next(routed.request);
  const { topics, topicNames } = routed.request as { topics: Body[]; topicNames: string[] };
  const asked = routed.context.version >= 6 ? topics : topicNames.map((name) => ({ name }));
  return { responses: asked.map((topic) => ({ ...topic, errorCode: CODE.NOT_CONTROLLER })) };
}

export async function alterUsersOnController(routed: Routed): Promise<unknown> {
  if (isController(routed)) return routed.next(routed.request);
  const { deletions, upsertions } = routed.request as { deletions: Body[]; upsertions: Body[] };
  const users = new Set([...deletions, ...upsertions].map(({ name }) => name));
  return {
    results: [...users].map((user) => ({ user, errorCode: CODE.NOT_CONTROLLER, errorMessage: null })),
  };
}

function isController({ context, nodes }: Routed): boolean {
  return nodes.controllerId === context.connection.nodeId;
}
