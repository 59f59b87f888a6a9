/**
 * Scripts what a broker does wrong: which requests (by API, n-th call, client, node, connection), and what happens to
 * them. Give `intercept` to `startTestBroker` and add rules at any time; the first that fits acts.
 *
 *     const broken = misbehave();
 *     const broker = await startTestBroker({}, { intercept: broken.intercept });
 *     const rule = broken.on({ api: 'Produce', nth: 2 }, closeAfter);
 */
import type { ConnectionView } from '../../broker/server/broker.ts';
import { CloseConnection, type Intercept, NO_ANSWER } from '../../broker/server/handler.ts';

type Call = Parameters<Intercept>[0];
export type Act = (call: Call, next: () => Promise<unknown>) => Promise<unknown>;

export interface Which {
  /** Name of the API; default: any. */
  readonly api?: string;
  /** The n-th call that fits the rest, from 1; default: all. */
  readonly nth?: number | readonly number[];
  readonly clientId?: string;
  readonly nodeId?: number;
  readonly connection?: ConnectionView;
}

export interface Rule {
  /** Calls that fitted, whether or not they were the n-th. */
  readonly calls: number;
  /** Calls that it acted on. */
  readonly acted: number;
  remove(): void;
}

export interface Misbehaviour {
  readonly intercept: Intercept;
  on(which: Which, act: Act): Rule;
}

export function misbehave(): Misbehaviour {
  const rules = new Set<{ which: Which; act: Act; calls: number; acted: number }>();
  return {
    on(which, act) {
      const rule = { which, act, calls: 0, acted: 0, remove: () => void rules.delete(rule) };
      rules.add(rule);
      return rule;
    },
    intercept(call, next) {
      for (const rule of rules) {
        if (!fits(call, rule.which)) continue;
        rule.calls += 1;
        if (!isNth(rule.calls, rule.which.nth)) continue;
        rule.acted += 1;
        return rule.act(call, next);
      }
      return next();
    },
  };
}

/** Never handled, never answered: the client's request timeout has to find out. */
export const dropRequest: Act = () => Promise.resolve(NO_ANSWER);

/** Handled, never answered. */
export const dropAnswer: Act = async (_call, next) => {
  await next();
  return NO_ANSWER;
};

/** Not handled; the connection closes. */
export const closeBefore: Act = () => Promise.reject(new CloseConnection('scripted: before the request'));

/** Handled; the connection closes in place of an answer. */
export const closeAfter: Act = async (_call, next) => {
  await next();
  throw new CloseConnection('scripted: after the request');
};

export function delay(delayMs: number): Act {
  return async (_call, next) => {
    await new Promise((resolve) => void setTimeout(resolve, delayMs));
    return next();
  };
}

/** Not handled; this answer instead. */
export function answer(body: object | ((call: Call) => object)): Act {
  return (call) => Promise.resolve(typeof body === 'function' ? body(call) : body);
}

/** Handled; the answer is changed. */
export function change(edit: (answer: Record<string, unknown>) => object): Act {
  return async (_call, next) => edit((await next()) as Record<string, unknown>);
}

function fits(call: Call, { api, clientId, nodeId, connection }: Which): boolean {
  return (
    (api === undefined || call.name === api) &&
    (clientId === undefined || call.clientId === clientId) &&
    (nodeId === undefined || call.nodeId === nodeId) &&
    (connection === undefined || call.connection === connection)
  );
}

function isNth(calls: number, nth: Which['nth']): boolean {
  if (nth === undefined) return true;
  return typeof nth === 'number' ? calls === nth : nth.includes(calls);
}
