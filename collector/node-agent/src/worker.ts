/** The worker thread: turns captured lines into OTLP/JSON requests and sends them, in order, one at a time. */
import { randomUUID } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';

import { type Captured, SHARED, sizeOf, type ToWorker } from './captured.ts';
import { anyValue, type LogRecord, toRecord } from './record.ts';
import { createPost } from './request.ts';
import { say } from './say.ts';
import type { Settings } from './settings.ts';

/**
 * One request: large enough that a collector 100 ms away still takes tens of thousands of records a second
 * from the one request in flight (which keeps the order), far below its limit of 20 MiB.
 */
const REQUEST_RECORDS_MAX = 4_000;
const REQUEST_BYTES_MAX = 2 * 1024 * 1024;

const REQUEST_TIMEOUT_MS = 30_000;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;

/** At the end of the process: tries of one request that is answered with "later". More would only hold it up. */
const TRIES_AT_END = 2;

const { settings, shared } = workerData as { settings: Settings; shared: Int32Array };
const post = createPost(settings);
const source = randomUUID();
const resource = {
  attributes: Object.entries(settings.resource).map(([key, value]) => ({ key, value: anyValue(value, 0) })),
};

let pending: Captured[] = [];
let lastNs = 0n;
let sequence = 0;
/** Set once the process ends: until when sending makes sense, ms on this thread's clock. */
let deadlineMs: number | undefined;
/** Ends the wait before the next try. */
let wake: (() => void) | undefined;
let running: Promise<void> | undefined;

parentPort?.on('message', (message: ToWorker) => {
  if (message.type === 'records') {
    for (const record of message.records) pending.push(record);
    void send();
    return;
  }
  deadlineMs = performance.now() + message.budgetMs;
  wake?.();
  void send().then(() => {
    Atomics.store(shared, SHARED.drained, message.turn);
    Atomics.notify(shared, SHARED.drained);
  });
});

/** Sends until nothing is pending; calls while it runs join it. */
function send(): Promise<void> {
  running ??= sendAll().finally(() => {
    running = undefined;
  });
  return running;
}

async function sendAll(): Promise<void> {
  while (pending.length > 0) {
    const [count, bytes] = nextRequest();
    // Built once: a repeated request has the same bytes and the same number.
    const body = Buffer.from(JSON.stringify(request(pending.slice(0, count))));
    sequence += 1;
    const result = await deliver(body, sequence);
    if (result.type === 'abandoned') {
      say(`lost ${pending.length} log records at exit: ${settings.url} ${result.reason}`);
      pending = [];
      return;
    }
    if (result.type === 'refused') say(`lost ${count} log records: ${settings.url} ${result.reason}`);
    pending = pending.slice(count);
    Atomics.add(shared, SHARED.doneBytes, bytes);
  }
}

/** How many of the pending records make the next request, and what they count for. */
function nextRequest(): [count: number, bytes: number] {
  let count = 0;
  let bytes = 0;
  for (const record of pending) {
    const size = sizeOf(record);
    if (count > 0 && (count >= REQUEST_RECORDS_MAX || bytes + size > REQUEST_BYTES_MAX)) break;
    bytes += size;
    count += 1;
  }
  return [count, bytes];
}

type Delivery = { type: 'done' } | { type: 'refused' | 'abandoned'; reason: string };

/** Repeats until the collector took it, refused it for good, or the process ends. */
async function deliver(body: Buffer, number: number): Promise<Delivery> {
  const headers = { 'millrace-source': source, 'millrace-sequence': String(number) };
  let delayMs = RETRY_FIRST_MS;
  let triesAtEnd = 0;
  for (;;) {
    const leftMs = deadlineMs === undefined ? REQUEST_TIMEOUT_MS : deadlineMs - performance.now();
    const outcome = await post(body, headers, Math.max(leftMs, 1));
    if (outcome.type === 'taken') {
      if (outcome.rejected > 0) say(`${outcome.rejected} log records were rejected by ${settings.url}`);
      return { type: 'done' };
    }
    if (outcome.type === 'refused') return outcome;
    let waitMs = outcome.retryAfterMs ?? delayMs;
    if (deadlineMs !== undefined) {
      triesAtEnd += 1;
      waitMs = RETRY_FIRST_MS;
      // Nobody listens: a moment later nobody will either.
      if (!outcome.answered || triesAtEnd >= TRIES_AT_END || performance.now() + waitMs >= deadlineMs) {
        return { type: 'abandoned', reason: outcome.reason };
      }
    }
    await pause(waitMs);
    delayMs = Math.min(delayMs * 2, RETRY_MAX_MS);
  }
}

/** Waits, or less when the process ends. */
function pause(waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

function request(batch: readonly Captured[]): object {
  const logRecords: LogRecord[] = [];
  for (const captured of batch) {
    const timeNs = BigInt(captured.timeMs) * 1_000_000n;
    lastNs = timeNs > lastNs ? timeNs : lastNs + 1n;
    logRecords.push(toRecord(captured, lastNs));
  }
  return { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: '@millrace/agent' }, logRecords }] }] };
}
