import type { RequestContext } from '../server/broker.ts';
import type { NodeEndpoint, Nodes } from './nodes.ts';
import type { Body } from './split.ts';

/** A request on its way to the handler, which knows one node only. */
export interface Routed {
  readonly request: Body;
  readonly context: RequestContext;
  readonly nodes: Nodes;
  readonly next: (request: Body) => Promise<unknown>;
}

/** Decides what the handler is asked, and what becomes of its answer. */
export type Route = (routed: Routed) => Promise<unknown>;

/** Of the nodes that run, as this client reaches them. */
export function endpoints({
  context: { connection },
  nodes,
}: Pick<Routed, 'context' | 'nodes'>): NodeEndpoint[] {
  return nodes.endpoints(connection.listener, connection.advertised.host);
}
