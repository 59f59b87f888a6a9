/** What routes read from a request, and how they notice that nobody waits for the answer any more. */
import type { FastifyReply } from 'fastify';
import { z } from 'zod';

import { QueryError } from './query-error.ts';

/** Checks input from outside; what does not fit is the sender's fault, with the path of the first problem. */
export function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue && issue.path.length > 0 ? ` at ${issue.path.join('.')}` : '';
  throw new QueryError(400, `cannot read ${what}${where}: ${issue?.message ?? 'wrong form'}`);
}

/** Aborts when the connection closes before the answer is out. */
export function leaving(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

export const variableValues = z.record(z.string(), z.union([z.string(), z.array(z.string())]));
