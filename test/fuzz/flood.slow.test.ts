import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { metadata } from '../../broker/wire/schemas/index.ts';
import { eventually } from '../support/eventually.ts';
import { RawClient } from '../support/raw-client.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';

/**
 * What slow, half-open and many connections do to an honest client. Attackers come from other loopback addresses.
 * Broker and honest client share this process, and the machine with the attackers: figures hold the attack's own cost too.
 */
const ATTACKERS = Number(process.env['FLOOD_SOCKETS'] ?? 10_000);
const ADDRESSES = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
const ATTACK = new URL('slow-sockets.ts', import.meta.url).pathname;
const CALLS = 500;

let broker: TestBroker;
let honest: RawClient;
let sockets: Socket[] = [];
let attackers: ChildProcess | undefined;
beforeEach(async () => {
  // Room for all of them beside the honest: what is shown is what they cost, not that they are refused.
  broker = await startTestBroker({ connectionsMax: ATTACKERS + 1_000 });
  honest = await RawClient.connect(broker.port);
  await p99();
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  attackers?.kill();
  attackers = undefined;
  honest.close();
  await broker.stop();
});

async function p99(): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < CALLS; i += 1) {
    const startMs = performance.now();
    await honest.call(metadata, 5, { topics: [] });
    took.push(performance.now() - startMs);
  }
  return took.toSorted((a, b) => a - b)[Math.floor(CALLS * 0.99)]!;
}

function attack(n: number): Promise<Socket> {
  return new Promise((resolve) => {
    const localAddress = ADDRESSES[n % ADDRESSES.length]!;
    const socket = connect({ port: broker.port, host: '127.0.0.1', localAddress });
    socket.on('error', () => resolve(socket));
    socket.once('close', () => resolve(socket));
    socket.once('connect', () => resolve(socket));
    sockets.push(socket);
  });
}

function open(): number {
  const families = broker.host.metrics.snapshot();
  return families.find(({ name }) => name === 'millrace_broker_connections')!.series[0]!.value;
}

test(`${ATTACKERS} sockets that are silent or send half a frame are closed in time, and an honest client hardly notices`, async () => {
  const beforeMs = await p99();
  const rss = process.memoryUsage.rss();
  attackers = spawn(process.execPath, [ATTACK, String(broker.port), String(ATTACKERS)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(attackers.stdout!, 'data');
  const lastMs = performance.now();
  const mostOpen = open();
  const duringMs = await p99();
  const bytes = (process.memoryUsage.rss() - rss) / mostOpen;
  await eventually(() => expect(open()).toBe(1), { timeoutMs: 60_000, everyMs: 100 });
  const seconds = (performance.now() - lastMs) / 1_000;
  console.log(
    `${mostOpen} slow sockets: honest p99 ${beforeMs.toFixed(2)} ms before, ${duringMs.toFixed(2)} ms during; ` +
      `${(bytes / 1024).toFixed(0)} KiB each; all closed ${seconds.toFixed(1)} s after the last came`,
  );
  // On a slow machine the first are closed before the last have come.
  expect(mostOpen).toBeGreaterThan(ATTACKERS / 10);
  expect(duringMs).toBeLessThan(50);
  expect(seconds).toBeLessThan(20);
});

test('1,000 connections a second for ten seconds: an honest client is served, also one that connects anew', async () => {
  const beforeMs = await p99();
  let n = 0;
  const flood = setInterval(() => {
    for (let i = 0; i < 20; i += 1) void attack((n += 1)).then((socket) => void socket.destroy());
    sockets = sockets.filter(({ destroyed }) => !destroyed);
  }, 20);
  const worst: number[] = [];
  let connected = 0;
  const untilMs = performance.now() + 10_000;
  while (performance.now() < untilMs) {
    worst.push(await p99());
    const fresh = await RawClient.connect(broker.port);
    if ((await fresh.call(metadata, 5, { topics: [] })).brokers.length === 1) connected += 1;
    fresh.close();
  }
  clearInterval(flood);
  const duringMs = worst.toSorted((a, b) => a - b)[Math.floor(worst.length / 2)]!;
  console.log(
    `${n} connections in 10 s: honest p99 ${beforeMs.toFixed(2)} ms before, ${duringMs.toFixed(2)} ms during; ` +
      `${connected} of ${worst.length} new honest connections served`,
  );
  expect(connected).toBe(worst.length);
  expect(duringMs).toBeLessThan(50);
});
