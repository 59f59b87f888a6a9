import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, test } from 'vitest';

import { silentLog } from '../../broker/host/log.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { eventually } from '../../test/support/eventually.ts';
import { DELIVERY_DEFAULTS, DeliveryQueue } from './delivery.ts';
import { fetchPost, loadPost } from './http-post.ts';
import type { Delivery, Notification } from './notification.ts';
import { createNotifiers } from './notifiers.ts';

const closers: Array<() => void> = [];
afterEach(() => closers.splice(0).forEach((close) => close()));

interface Received {
  path: string;
  headers: IncomingMessage['headers'];
  body: unknown;
}

/** A receiver that answers what it is told to, then 200. */
async function receiver(
  answers: Array<number | 'hang' | 'endless' | 'redirect'> = [],
): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const answer = answers.shift() ?? 200;
      received.push({
        path: request.url ?? '',
        headers: request.headers,
        body: JSON.parse(Buffer.concat(chunks).toString()),
      });
      if (answer === 'hang') return;
      if (answer === 'redirect') {
        response.writeHead(307, { location: '/elsewhere' }).end();
      } else if (answer === 'endless') {
        response.writeHead(200);
        const timer = setInterval(() => response.write(Buffer.alloc(65_536)), 1);
        response.on('close', () => clearInterval(timer));
      } else {
        response.writeHead(answer).end('{}');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received };
}

function notification(fields: Partial<Notification> = {}): Notification {
  return {
    id: 'abc',
    status: 'firing',
    labels: { alertname: 'A', severity: 'page' },
    annotations: { summary: 's' },
    value: 3,
    startsAtMs: 1_700_000_000_000,
    fingerprint: 'f',
    intervalMs: 15_000,
    timings: { evalMs: Date.now() },
    deliveries: {},
    ...fields,
  };
}

function queueTo(
  target: { webhooks?: Array<{ url: string }>; alertmanagers?: string[] },
  options: Partial<typeof DELIVERY_DEFAULTS> = {},
): { queue: DeliveryQueue; outcomes: Array<[id: string, delivery: Delivery]> } {
  const outcomes: Array<[string, Delivery]> = [];
  const [notifier] = createNotifiers({
    webhooks: [],
    alertmanagers: [],
    externalUrl: 'http://m:3100/',
    ...target,
  });
  const limits = { ...DELIVERY_DEFAULTS, backoffMinMs: 1, backoffMaxMs: 4, ...options };
  const queue = new DeliveryQueue(
    notifier!,
    fetchPost,
    nodeHost(silentLog),
    limits,
    (id, _target, delivery) => outcomes.push([id, delivery]),
  );
  closers.push(() => void queue.stop(0));
  return { queue, outcomes };
}

test('what a send needs can be loaded without one', async () => {
  await expect(loadPost()).resolves.toBeUndefined();
});

describe('a webhook', () => {
  test("gets Alertmanager's body, version 4, and the id of the notification", async () => {
    const { url, received } = await receiver();
    const { queue, outcomes } = queueTo({ webhooks: [{ url }] });
    queue.enqueue(notification());
    await eventually(() => expect(outcomes).toHaveLength(1));
    expect(received[0]!.headers['x-millrace-notification-id']).toBe('abc');
    expect(received[0]!.body).toMatchObject({
      version: '4',
      status: 'firing',
      groupKey: '{}:{alertname="A"}',
      truncatedAlerts: 0,
      externalURL: 'http://m:3100/',
      alerts: [
        {
          status: 'firing',
          labels: { alertname: 'A', severity: 'page' },
          annotations: { summary: 's' },
          startsAt: '2023-11-14T22:13:20.000Z',
          endsAt: '0001-01-01T00:00:00Z',
          generatorURL: 'http://m:3100/alerts',
          fingerprint: 'f',
        },
      ],
    });
  });

  test('that fails is tried again, with news of one alert in order', async () => {
    const { url, received } = await receiver([500, 503, 'hang', 429]);
    const { queue, outcomes } = queueTo({ webhooks: [{ url }] }, { attemptTimeoutMs: 200 });
    queue.enqueue(notification({ id: '1' }));
    queue.enqueue(notification({ id: '2', status: 'resolved', endsAtMs: 1_700_000_060_000 }));
    queue.enqueue(notification({ id: '1' }));
    await eventually(() => expect(outcomes).toHaveLength(2));
    const ids = received.map(({ headers }) => headers['x-millrace-notification-id']);
    expect(ids).toEqual(['1', '1', '1', '1', '1', '2']);
    expect(outcomes).toMatchObject([
      ['1', { outcome: 'delivered', attempts: 5 }],
      ['2', { outcome: 'delivered', attempts: 1 }],
    ]);
    expect(queue.size).toBe(0);
  });

  test.each([
    ['redirects', 'redirect', { outcome: 'rejected', lastError: 'got status 307, want 2xx' }],
    ['refuses', 404, { outcome: 'rejected', lastError: 'got status 404, want 2xx' }],
    ['answers without end', 'endless', { outcome: 'delivered' }],
  ] as const)('that %s gets one request', async (_name, answer, outcome) => {
    const { url, received } = await receiver([answer]);
    const { queue, outcomes } = queueTo({ webhooks: [{ url }] });
    queue.enqueue(notification());
    await eventually(() => expect(outcomes).toMatchObject([['abc', outcome]]));
    expect(received).toHaveLength(1);
  });

  test('that nobody serves is given up at the deadline', async () => {
    const { queue, outcomes } = queueTo({ webhooks: [{ url: 'http://127.0.0.1:1/x' }] }, { deadlineMs: 20 });
    queue.enqueue(notification());
    await eventually(() => expect(outcomes).toMatchObject([['abc', { outcome: 'expired' }]]));
    expect(outcomes[0]![1].lastError).toMatch(/^got .+, want an answer$/);
  });
});

test('a stop waits for the answer that is under way, and starts nothing new', async () => {
  let answer: () => void = () => undefined;
  const asked: string[] = [];
  const outcomes: string[] = [];
  const [notifier] = createNotifiers({
    webhooks: [{ url: 'http://h/x' }],
    alertmanagers: [],
    externalUrl: '',
  });
  const post = async (url: string): Promise<{ status: number }> => {
    asked.push(url);
    await new Promise<void>((resolve) => (answer = resolve));
    return { status: 200 };
  };
  const queue = new DeliveryQueue(notifier!, post, nodeHost(silentLog), DELIVERY_DEFAULTS, (id) =>
    outcomes.push(id),
  );
  queue.enqueue(notification({ id: '1' }));
  queue.enqueue(notification({ id: '2' }));
  const stopped = queue.stop(60_000);
  answer();
  await stopped;
  expect([asked.length, outcomes]).toEqual([1, ['1']]);
});

test('an Alertmanager gets API v2, with an end in the future while the alert fires', async () => {
  const { url, received } = await receiver();
  const { queue, outcomes } = queueTo({ alertmanagers: [url.replace('/hook', '/am/')] });
  queue.enqueue(notification());
  queue.enqueue(notification({ id: '2', status: 'resolved', endsAtMs: 1_700_000_060_000 }));
  await eventually(() => expect(outcomes).toHaveLength(2));
  expect(received.map(({ path }) => path)).toEqual(['/am/api/v2/alerts', '/am/api/v2/alerts']);
  const [firing, resolved] = received.map(({ body }) => (body as Array<Record<string, string>>)[0]!);
  expect(firing).toMatchObject({ labels: { alertname: 'A' }, startsAt: '2023-11-14T22:13:20.000Z' });
  expect(Date.parse(firing!['endsAt']!) - Date.now()).toBeGreaterThan(230_000);
  expect(resolved!['endsAt']).toBe('2023-11-14T22:14:20.000Z');
});
