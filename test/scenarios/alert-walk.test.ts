// The walk of an alert: an application under the Node agent logs errors, the rule fires to a webhook with its labels,
// and resolves when they stop; a kill -9 of the alert part in between loses nothing and repeats nothing under a new id.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { type Millrace, startMillrace } from '../support/millrace.ts';
import { partProcesses } from '../support/part-processes.ts';

const root = join(import.meta.dirname, '..', '..');
const SHOP = join(root, 'test', 'support', 'shop.mjs');

const RULES = `groups:
  - name: shop
    interval: 1s
    rules:
      - alert: ShopErrors
        expr: sum by (service_name) (count_over_time({service_name="shop", level="error"}[5s])) > 3
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
    fingerprint: string;
  }>;
}

let directory: string;
let up: Millrace;
let webhook: Server;
let application: ChildProcess;
const received: Notification[] = [];
const errorCalls: number[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-alert-'));
  await writeFile(join(directory, 'rules.yaml'), RULES);
  webhook = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => void (body += chunk.toString()));
    request.on('end', () => {
      const id = String(request.headers['x-millrace-notification-id']);
      received.push({
        receivedMs: Date.now(),
        id,
        ...(JSON.parse(body) as Omit<Notification, 'receivedMs' | 'id'>),
      });
      response.end();
    });
  });
  await new Promise<void>((resolve) => void webhook.listen(0, '127.0.0.1', resolve));
  const { port } = webhook.address() as AddressInfo;
  up = await startMillrace({
    args: ['--rules', join(directory, 'rules.yaml')],
    env: { MILLRACE_ALERTS__WEBHOOKS: `[{ url: 'http://127.0.0.1:${port}/' }]` },
  });
  application = spawn(process.execPath, ['--import', '@millrace/agent', SHOP], {
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
    for (const line of chunk.toString().split('\n').filter(Boolean)) errorCalls.push(Number(line));
  });
}, 120_000);

afterAll(async () => {
  application?.kill('SIGKILL');
  webhook?.close();
  await up?.remove();
  await rm(directory, { recursive: true, force: true });
});

function sent(status: string): Notification[] {
  return received.filter((one) => one.status === status);
}

test('errors fire the rule to the webhook, with its labels and annotations', async () => {
  await writeFile(join(directory, 'errors'), '');
  await eventually(() => expect(sent('firing').length).toBeGreaterThan(0), { timeoutMs: 20_000 });
  const [{ alerts, receivedMs }] = sent('firing') as [Notification];
  expect(alerts).toHaveLength(1);
  expect(alerts[0]).toMatchObject({
    status: 'firing',
    labels: { alertname: 'ShopErrors', severity: 'page', service_name: 'shop' },
    annotations: { summary: expect.stringMatching(/^shop logged \d+ errors$/) },
  });
  // The fourth error is the one that crosses the threshold.
  console.log(
    `from the log call that crossed the threshold to the webhook: ${receivedMs - errorCalls[3]!} ms`,
  );
});

test('a kill -9 of the alert part loses nothing; when the errors stop it resolves, once', async () => {
  const pid = partProcesses(up.pid).get('alerts')!;
  process.kill(pid, 'SIGKILL');
  await eventually(() => expect(partProcesses(up.pid).get('alerts') ?? pid).not.toBe(pid));
  await rm(join(directory, 'errors'));
  await eventually(() => expect(sent('resolved').length).toBeGreaterThan(0), { timeoutMs: 40_000 });

  const [firing] = sent('firing') as [Notification];
  const [resolved] = sent('resolved') as [Notification];
  expect(resolved.alerts[0]).toMatchObject({
    fingerprint: firing.alerts[0]!.fingerprint,
    startsAt: firing.alerts[0]!.startsAt,
    labels: firing.alerts[0]!.labels,
  });
  // Only a send whose outcome the killed part did not know may repeat, and under the same id.
  expect(new Set(sent('firing').map((one) => one.id)).size).toBe(1);
  expect(new Set(sent('resolved').map((one) => one.id)).size).toBe(1);
  expect(received.length).toBeLessThanOrEqual(3);
});

test('the walk is on the Alerts API', async () => {
  const response = await fetch(`${up.web}/api/v1/rules`);
  const { data } = (await response.json()) as {
    data: { groups: Array<{ rules: Array<{ name: string; state: string }> }> };
  };
  expect(data.groups.flatMap((group) => group.rules)).toMatchObject([
    { name: 'ShopErrors', state: 'inactive' },
  ]);
});
