/**
 * `GET /api/tail?query={…}`: lines as they are appended, as server-sent events.
 *
 *     event: lines
 *     id: 0:17,1:4                                   next offset of each partition
 *     data: {"lines":[{timestampNs,line,labels}],"dropped":0}
 *
 * A browser that reconnects sends the last id, and goes on there: no gap, no repeat. `from` (ms since 1970)
 * starts with what was appended since that time. A line of comment every few seconds keeps proxies from
 * closing the stream, and brings the id up to date when nothing matches.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

import type { Host } from '../../broker/host/host.ts';
import { compilePipeline } from '../../sinks/logql/match.ts';
import { parseLogs } from '../../sinks/logql/parse.ts';
import type { WebConfig } from '../config.ts';
import { QueryError } from './query-error.ts';
import { parse } from './request.ts';
import { TailBuffer } from './tail-buffer.ts';
import type { Tail, TailHub, TailOptions } from './tail-hub.ts';
import { parsePosition, positionText } from './tail-position.ts';

const tailQuery = z.looseObject({
  query: z.string().default('{}'),
  from: z.coerce.number().optional(),
  position: z.string().optional(),
});

export function tailRoutes(app: FastifyInstance, hub: TailHub, host: Host, config: WebConfig['tail']): void {
  const clients = host.metrics.gauge('millrace_web_tail_clients', 'Live tails that are open.');
  const droppedLines = host.metrics.counter(
    'millrace_web_tail_dropped_lines_total',
    'Lines that live tails left out because their reader was too slow.',
  );
  const open = new Set<() => void>();
  host.metrics.onCollect(() => clients.set(open.size));

  app.addHook('preClose', async () => {
    for (const end of open) end();
    await hub.close();
  });

  app.get('/api/tail', async (request, reply) => {
    const { query, from, position } = parse(tailQuery, request.query, 'query string');
    const pipeline = compilePipeline(parseLogs(query));
    if (open.size >= config.clientsMax) {
      throw new QueryError(503, `cannot tail: got ${open.size} live tails already, want fewer`);
    }
    const buffer = new TailBuffer(config.bufferBytesMax);
    const waiting: Array<() => void> = [];
    // Lines may come before the answer is begun; then its beginning sends them.
    let flushSoon = (): void => undefined;
    const tail = await openTail(hub, {
      pipeline,
      from: startOf(request.headers['last-event-id'] ?? position, from),
      onLine: (line) => {
        const dropped = buffer.push(line);
        if (dropped > 0) droppedLines.add(dropped);
        flushSoon();
      },
      room: () => (buffer.full ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve()),
    });

    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // nginx would hold events back.
      'x-accel-buffering': 'no',
    });
    let blocked = false;
    let lastWriteMs = Number.NEGATIVE_INFINITY;
    let lastId = '';
    let cancelFlush: (() => void) | undefined;
    const write = (text: string): void => {
      lastWriteMs = host.clock.monotonicMs();
      blocked = !raw.write(text);
      if (!blocked) return;
      raw.once('drain', () => {
        blocked = false;
        flushSoon();
      });
    };
    const flush = (): void => {
      cancelFlush = undefined;
      if (blocked || buffer.empty) return;
      lastId = positionText(tail.position());
      write(`event: lines\nid: ${lastId}\ndata: ${JSON.stringify(buffer.take())}\n\n`);
      for (const resume of waiting.splice(0)) resume();
    };
    // The first line goes out at once, those that follow closely together.
    flushSoon = (): void => {
      const sinceMs = host.clock.monotonicMs() - lastWriteMs;
      cancelFlush ??= host.timers.after(Math.max(0, config.flushIntervalMs - sinceMs), flush);
    };
    const beat = (): void => {
      if (blocked || !buffer.empty) return;
      const id = positionText(tail.position());
      write(id === lastId ? ': still here\n\n' : `id: ${id}\n\n`);
      lastId = id;
    };
    const stopBeating = host.timers.every(config.heartbeatIntervalMs, beat);
    const end = (): void => {
      if (!open.delete(end)) return;
      stopBeating();
      cancelFlush?.();
      flushSoon = () => undefined;
      for (const resume of waiting.splice(0)) resume();
      raw.end();
      tail.close().catch((error: unknown) => {
        host.log.warn({ error: String(error) }, 'a live tail did not close cleanly');
      });
    };
    open.add(end);
    raw.once('close', end);
    raw.on('error', end);
    // The id of the start: a reconnect before the first line loses nothing either.
    lastId = positionText(tail.position());
    write(`retry: 1000\nid: ${lastId}\n\n`);
    flushSoon();
    if (raw.destroyed) end();
  });
}

function startOf(lastEventId: unknown, timestampMs: number | undefined): TailOptions['from'] {
  if (typeof lastEventId === 'string' && lastEventId !== '') {
    const position = parsePosition(lastEventId);
    if (!position) {
      throw new QueryError(400, `cannot resume: got position ${lastEventId}, want partition:offset,…`);
    }
    return { position };
  }
  return timestampMs === undefined ? 'now' : { timestampMs };
}

async function openTail(hub: TailHub, options: TailOptions): Promise<Tail> {
  try {
    return await hub.open(options);
  } catch (error) {
    throw new QueryError(503, `cannot tail: the log does not answer (${(error as Error).message})`, {
      cause: error,
    });
  }
}
