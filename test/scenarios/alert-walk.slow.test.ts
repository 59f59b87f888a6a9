// The walk of an alert: an application under the Node agent logs errors, the rule fires to a webhook with its labels, and
// resolves when they stop. A kill -9 of the alert part, whenever it comes, loses nothing and makes no news twice: only
// a send whose outcome nobody knows is repeated, under the same id.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { type Millrace, startMillrace } from '../support/millrace.ts';
import { partProcesses } from '../support/part-processes.ts';

const root = join(import.meta.dirname, '..', '..');
const SHOP = join(root, 'test', 'support', 'shop.mjs');
const RANGE_MS = 2_000;
/** Of each test: a busy machine is slow, not wrong. */
const TIMEOUT_MS = 60_000;

const RULES = `groups:
  - name: shop
    interval: 1s
    rules:
      - alert: ShopErrors
        expr: sum by (service_name) (count_over_time({service_name="shop", level="error"}[${RANGE_MS}ms])) > 3
        labels: { severity: page }
        annotations: { summary: '{{ $labels.service_name }} logged {{ $value }} errors' }
`;

interface Notification {
  receivedMs: number;
  id: string;
  status: string;
  alerts: Array<{
    status: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
    startsAt: string;
    endsAt: string;
    fingerprint: string;
  }>;
}

let directory: string;
let up: Millrace;
let webhook: Server;
let application: ChildProcess;
const received: Notification[] = [];
/** When the application called its logger, ms since 1970. */
const errorCalls: number[] = [];
/** What happens between a notification's arrival and its answer, once. */
let onReceived: (() => void) | undefined;
let onErrorCall: (() => void) | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-alert-'));
  await writeFile(join(directory, 'rules.yaml'), RULES);
  webhook = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => void (body += chunk.toString()));
    request.on('end', () => {
      const receivedMs = Date.now();
      const id = String(request.headers['x-millrace-notification-id']);
      received.push({ ...(JSON.parse(body) as Omit<Notification, 'receivedMs' | 'id'>), receivedMs, id });
      onReceived?.();
      response.end();
    });
  });
  await new Promise<void>((resolve) => void webhook.listen(0, '127.0.0.1', resolve));
  const { port } = webhook.address() as AddressInfo;
  up = await startMillrace({
    args: ['--rules', join(directory, 'rules.yaml')],
    env: { MILLRACE_ALERTS__WEBHOOKS: `[{ url: 'http://127.0.0.1:${port}/' }]` },
  });
  application = spawn(process.execPath, ['--import', await nodeAgent(), SHOP], {
    cwd: root, // where @millrace/agent is found
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      OTEL_SERVICE_NAME: 'shop',
      OTEL_EXPORTER_OTLP_ENDPOINT: up.otlp,
      MILLRACE_AGENT_QUIET: '1',
      ERRORS: join(directory, 'errors'),
    },
  });
  application.stdout!.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n').filter(Boolean)) {
      errorCalls.push(Number(line));
      onErrorCall?.();
    }
  });
}, 120_000);

afterAll(async () => {
  application?.kill('SIGKILL');
  webhook?.close();
  await up?.remove();
  await rm(directory, { recursive: true, force: true });
});

/** The agent by its name, as users say it; by its file where the installed package is that of another checkout. */
async function nodeAgent(): Promise<string> {
  const own = join(root, 'collector', 'node-agent');
  const installed = await realpath(join(root, 'node_modules', '@millrace', 'agent')).catch(() => '');
  return installed === own ? '@millrace/agent' : pathToFileURL(join(own, 'dist', 'register.js')).href;
}

/** As the Alerts page has them: it reads the topic on its own. */
async function notifications(): Promise<Array<{ timings: { appendMs: number; evalMs: number } }>> {
  return eventually(
    async () => {
      const response = await fetch(`${up.web}/api/alerts/notifications`);
      const found = (await response.json()) as Awaited<ReturnType<typeof notifications>>;
      expect(found.length).toBeGreaterThan(0);
      return found;
    },
    { timeoutMs: TIMEOUT_MS },
  );
}

/** kill -9, and wait until the supervisor has started it again. */
async function kill(): Promise<void> {
  const pid = partProcesses(up.pid).get('alerts')!;
  process.kill(pid, 'SIGKILL');
  await eventually(() => expect(partProcesses(up.pid).get('alerts') ?? pid).not.toBe(pid), {
    timeoutMs: TIMEOUT_MS,
  });
}

interface Round {
  /** Of the notifications of this round, repeats included. */
  readonly sent: (status: string) => Notification[];
  readonly errors: () => number[];
}

function round(): Round {
  const [firstReceived, firstError] = [received.length, errorCalls.length];
  return {
    sent: (status) => received.slice(firstReceived).filter((one) => one.status === status),
    errors: () => errorCalls.slice(firstError),
  };
}

async function startErrors(): Promise<void> {
  await writeFile(join(directory, 'errors'), '');
}

async function stopErrors(): Promise<void> {
  await rm(join(directory, 'errors'));
}

async function fired({ sent }: Round): Promise<Notification> {
  await eventually(() => expect(sent('firing').length).toBeGreaterThan(0), { timeoutMs: TIMEOUT_MS });
  return sent('firing')[0]!;
}

/** One firing and one resolved, each under one id, however often either was sent; both of the same alert. */
async function resolved({ sent, errors }: Round): Promise<void> {
  await eventually(() => expect(sent('resolved').length).toBeGreaterThan(0), { timeoutMs: TIMEOUT_MS });
  const [firing, resolved] = [sent('firing')[0]!, sent('resolved')[0]!];
  expect(resolved.alerts[0]).toMatchObject({
    status: 'resolved',
    fingerprint: firing.alerts[0]!.fingerprint,
    startsAt: firing.alerts[0]!.startsAt,
    labels: firing.alerts[0]!.labels,
  });
  // The window with the last three errors alone is not over the threshold any more.
  expect(Date.parse(resolved.alerts[0]!.endsAt)).toBeGreaterThanOrEqual(errors().at(-4)! + RANGE_MS);
  expect(new Set(sent('firing').map(({ id }) => id)).size).toBe(1);
  expect(new Set(sent('resolved').map(({ id }) => id)).size).toBe(1);
  expect(resolved.id).not.toBe(firing.id);
  console.log(
    `from the last error's log call to resolved at the webhook: ${resolved.receivedMs - errors().at(-1)!} ms ` +
      `(${RANGE_MS} of them are the rule's range)`,
  );
}

test(
  'errors fire the rule to the webhook with its labels; it resolves when they stop',
  async () => {
    const walk = round();
    await startErrors();
    const { alerts, receivedMs } = await fired(walk);
    expect(alerts).toHaveLength(1);
    expect(alerts[0]).toMatchObject({
      status: 'firing',
      labels: { alertname: 'ShopErrors', severity: 'page', service_name: 'shop' },
      annotations: { summary: expect.stringMatching(/^shop logged \d+ errors$/) as string },
    });
    // The fourth error is the one that crosses the threshold.
    const calledMs = walk.errors()[3]!;
    const [notification] = await notifications();
    const { appendMs, evalMs } = notification!.timings;
    console.log(
      `from the log call that crossed the threshold to the webhook: ${receivedMs - calledMs} ms: to the broker ` +
        `${appendMs - calledMs}, to its judgement ${evalMs - appendMs}, until it was stored and sent ${receivedMs - evalMs}`,
    );
    await stopErrors();
    await resolved(walk);
    // Nobody was killed: nothing is sent twice.
    expect([walk.sent('firing').length, walk.sent('resolved').length]).toEqual([1, 1]);
  },
  TIMEOUT_MS,
);

test(
  'a kill -9 between the send and its answer: the send is repeated under its id',
  async () => {
    const walk = round();
    let killed: Promise<void> | undefined;
    onReceived = () => {
      onReceived = undefined;
      killed = kill();
    };
    await startErrors();
    const first = await fired(walk);
    await killed;
    await eventually(() => expect(walk.sent('firing').length).toBe(2), { timeoutMs: TIMEOUT_MS });
    const second = walk.sent('firing')[1]!;
    expect({ id: second.id, alerts: second.alerts }).toEqual({ id: first.id, alerts: first.alerts });
    await stopErrors();
    await resolved(walk);
    expect([walk.sent('firing').length, walk.sent('resolved').length]).toEqual([2, 1]);
  },
  TIMEOUT_MS,
);

test(
  'a kill -9 at the error that crosses the threshold, and one while it fires: one alert, that resolves once',
  async () => {
    const walk = round();
    let killed: Promise<void> | undefined;
    onErrorCall = () => {
      if (walk.errors().length === 4) killed = kill();
    };
    await startErrors();
    await fired(walk);
    onErrorCall = undefined;
    await killed;
    await kill();
    await stopErrors();
    await resolved(walk);
    // At most one send a kill: that whose outcome the killed part had not stored.
    expect(walk.sent('firing').length).toBeLessThanOrEqual(3);
    expect(walk.sent('resolved')).toHaveLength(1);
  },
  TIMEOUT_MS,
);

test('the walk is on the Alerts API', async () => {
  const response = await fetch(`${up.web}/api/v1/rules`);
  const { data } = (await response.json()) as {
    data: { groups: Array<{ rules: Array<{ name: string; state: string }> }> };
  };
  expect(data.groups.flatMap((group) => group.rules)).toMatchObject([
    { name: 'ShopErrors', state: 'inactive' },
  ]);
});
