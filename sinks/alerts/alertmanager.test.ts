// Against the real Alertmanager, where it is installed: it takes what we send, shows it, and passes it on.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { silentLog } from '../../broker/host/log.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { eventually } from '../../test/support/eventually.ts';
import { DELIVERY_DEFAULTS, DeliveryQueue } from './delivery.ts';
import { fetchPost } from './http-post.ts';
import type { Delivery, Notification } from './notification.ts';
import { createNotifiers } from './notifiers.ts';
import { resend } from './resend.ts';

// Debian calls the first one prometheus-alertmanager; others give paths: ALERTMANAGER=… AMTOOL=…
const ALERTMANAGER = process.env['ALERTMANAGER'] ?? 'prometheus-alertmanager';
const AMTOOL = process.env['AMTOOL'] ?? 'amtool';
const host = nodeHost(silentLog);

interface Passed {
  readonly status: string;
  readonly alerts: ReadonlyArray<{ status: string; labels: object; annotations: object; startsAt: string }>;
}

describe('Alertmanager', async () => {
  const version = (await output(ALERTMANAGER, ['--version'])) && (await output(AMTOOL, ['--version']));
  if (version === undefined) {
    console.log(
      `skipped: no ${ALERTMANAGER} and ${AMTOOL} here (Debian: apt-get install prometheus-alertmanager)`,
    );
  }
  let directory: string;
  let receiver: Server;
  let process_: ChildProcess | undefined;
  let ended: Promise<unknown> | undefined;
  let url: string;
  const passed: Passed[] = [];

  beforeAll(async () => {
    if (version === undefined) return;
    directory = await mkdtemp(join(tmpdir(), 'millrace-alertmanager-'));
    receiver = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        passed.push(JSON.parse(Buffer.concat(chunks).toString()) as Passed);
        response.end();
      });
    });
    await new Promise<void>((resolve) => void receiver.listen(0, '127.0.0.1', resolve));
    const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    await writeFile(
      join(directory, 'alertmanager.yml'),
      `route: {receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s}
receivers: [{name: hook, webhook_configs: [{url: '${hook}', send_resolved: true}]}]
`,
    );
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    process_ = spawn(
      ALERTMANAGER,
      [
        `--config.file=${directory}/alertmanager.yml`,
        `--storage.path=${directory}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--cluster.listen-address=',
      ],
      { stdio: 'ignore' },
    );
    ended = new Promise((resolve) => void process_!.once('exit', resolve));
    await eventually(async () => {
      const { status } = await fetch(`${url}/-/ready`);
      if (status !== 200) throw new Error(`not ready: ${status}`);
    });
  });

  afterAll(async () => {
    process_?.kill('SIGTERM');
    await ended;
    receiver?.close();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  /** What amtool lists as active, by alert name. */
  async function active(): Promise<Map<string, { labels: object; annotations: object }>> {
    const text = await output(AMTOOL, ['alert', 'query', '-o', 'json', `--alertmanager.url=${url}`]);
    const alerts = JSON.parse(text ?? '[]') as Array<{ labels: { alertname: string }; annotations: object }>;
    return new Map(alerts.map((alert) => [alert.labels.alertname, alert]));
  }

  test.skipIf(version === undefined)(
    'takes an alert, shows it, passes it on, and hears of its end',
    async () => {
      const outcomes: Delivery[] = [];
      const to = { webhooks: [], alertmanagers: [url], externalUrl: 'http://viewer.test' };
      const [notifier] = createNotifiers(to);
      const queue = new DeliveryQueue(
        notifier!,
        fetchPost,
        host,
        DELIVERY_DEFAULTS,
        (_id, _target, delivery) => outcomes.push(delivery),
      );
      const startsAtMs = host.clock.nowMs() - 5_000;
      const labels = { alertname: 'Errors', service_name: 'größer "quoted" \\ ✓', severity: 'page' };
      const annotations = { summary: 'two\nlines', samples: 'boom\n\u0000 boom' };
      const firing: Notification = {
        id: 'a',
        status: 'firing',
        labels,
        annotations,
        value: 3,
        startsAtMs,
        fingerprint: 'f',
        intervalMs: 15_000,
        timings: { evalMs: host.clock.nowMs() },
        deliveries: {},
      };
      queue.enqueue(firing);
      await eventually(() => expect(outcomes).toMatchObject([{ outcome: 'delivered', attempts: 1 }]));
      await eventually(async () =>
        expect((await active()).get('Errors')).toMatchObject({ labels, annotations }),
      );
      await eventually(() => expect(passed).toHaveLength(1));
      expect(passed[0]).toMatchObject({
        status: 'firing',
        alerts: [{ status: 'firing', labels, annotations }],
      });
      expect(Date.parse(passed[0]!.alerts[0]!.startsAt)).toBe(startsAtMs);

      // Told again, as every minute: no news for the receiver.
      await resend([{ ...firing }], to, fetchPost, host);
      expect(await active()).toHaveProperty('size', 1);

      const endsAtMs = host.clock.nowMs();
      queue.enqueue({ ...firing, id: 'b', status: 'resolved', endsAtMs });
      await eventually(() => expect(outcomes).toHaveLength(2));
      await eventually(() => expect(passed.map(({ status }) => status)).toEqual(['firing', 'resolved']));
      await eventually(async () => expect(await active()).toHaveProperty('size', 0));
      // The end, told again, is the same end.
      await resend([{ ...firing, endsAtMs }], to, fetchPost, host);
      expect(await active()).toHaveProperty('size', 0);
      await queue.stop(1_000);
    },
  );
});

/** Of a program that ends well; undefined where there is none. */
function output(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, args, (error, stdout, stderr) => resolve(error ? undefined : stdout + stderr));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createTcpServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
