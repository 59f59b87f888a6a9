// What a newcomer sees: one command, a browser, and within 15 s the pipeline, the host and the logs.
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startChromium } from '../support/chromium.ts';
import { millrace, type Millrace, startMillrace } from '../support/millrace.ts';
import { checkViewer } from '../support/viewer-check.ts';

const SCREENSHOTS = fileURLToPath(new URL('../../build/screenshots', import.meta.url));
/** From the start of the command, on a machine that has nothing else to do. */
const PROMISED_MS = 15_000;
/**
 * Where others leave the processors no idle time (other tests, a shared machine), the figure says more about
 * them: only that the data comes is asked. Our own start leaves a good part of it.
 */
const BUSY_MS = 60_000;
const IDLE_SHARE_MIN = 0.1;
/** Panels that must have data by then: accepted, stored, lag in records and seconds, retention used, size. */
const PIPELINE_PANELS = [1, 2, 3, 15, 14, 21, 22, 31, 33];
/** CPU busy, memory, load, file system, CPU by mode, memory by state. */
const HOST_PANELS = [1, 2, 3, 4, 11, 13];

let browser: Browser | undefined;
let reason = '';
let running: Millrace | undefined;
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-viewer-up-'));
  const started = await startChromium();
  if ('browser' in started) browser = started.browser;
  else {
    reason = started.reason;
    console.warn(`viewer before a running pipeline: skipped, ${reason}`);
    return;
  }
  // The build after a change is no part of the promise.
  await millrace(['--help']);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await running?.remove();
  await rm(folder, { recursive: true, force: true });
}, 20_000);

test('15 s after the start, with nothing configured, the viewer shows it all; tailed lines as they come', async (context) => {
  if (!browser) return context.skip(reason);
  const file = join(folder, 'shop.log');
  await writeFile(file, 'the first line\n');

  const before = processorTimes();
  const spawnedMs = performance.now();
  const sinceSpawn = (): number => performance.now() - spawnedMs;
  running = await startMillrace({ args: ['--tail', file] });
  const readyMs = sinceSpawn();
  const { web } = running;

  const view = await browser.newContext({
    viewport: { width: 1440, height: 2100 },
    colorScheme: 'dark',
    reducedMotion: 'reduce',
  });
  const problems: string[] = [];
  const open = async (path: string): Promise<Page> => {
    const page = await view.newPage();
    page.on(
      'console',
      (message) => message.type() === 'error' && problems.push(`${path}: ${message.text()}`),
    );
    page.on('pageerror', (error) => problems.push(`${path}: ${error.message}`));
    await page.goto(web + path);
    return page;
  };

  const firstData = async (path: string, selectors: readonly string[]): Promise<number> => {
    const page = await open(path);
    await Promise.all(selectors.map((one) => page.waitForSelector(one, { timeout: BUSY_MS })));
    const ms = sinceSpawn();
    await page.close();
    return ms;
  };
  const panel = (id: number): string => `.panel[data-panel="${id}"][data-state=ready]`;
  // One after the other, as a person looks.
  const pipelineMs = await firstData('/', PIPELINE_PANELS.map(panel));
  const hostMs = await firstData('/d/millrace-host', HOST_PANELS.map(panel));
  const logsMs = await firstData('/logs', ['.log-line:has-text("the first line")', '.volume .u-over']);
  const after = processorTimes();
  const idleShare = (after.idle - before.idle) / (after.all - before.all);
  const busy = idleShare < IDLE_SHARE_MIN;
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  console.log(
    `from the start: ready ${seconds(readyMs)}, pipeline ${seconds(pipelineMs)}, host ${seconds(hostMs)}, logs ${seconds(logsMs)}` +
      (busy
        ? `; not held to ${seconds(PROMISED_MS)}, processors idle for ${(idleShare * 100).toFixed(0)} % of it`
        : ''),
  );

  // Live: a line shows as it is appended. Not live: it shows once it is stored.
  const query = encodeURIComponent('{service_name="shop"}');
  const live = await open(`/logs?query=${query}&live=1`);
  await live.waitForSelector('[data-tail=live]');
  const stored = await open(`/logs?query=${query}&refresh=1s`);
  const unique = `order ${Math.random().toString(36).slice(2)} placed`;
  const appendedMs = performance.now();
  await appendFile(file, `${unique}\n`);
  const shown = async (page: Page): Promise<number> => {
    await page.waitForSelector(`.log-line:has-text("${unique}")`, { timeout: 15_000 });
    return Math.round(performance.now() - appendedMs);
  };
  const [liveMs, storedMs] = await Promise.all([shown(live), shown(stored)]);
  console.log(
    `a tailed line: ${liveMs} ms to the live tail, ${storedMs} ms to a query that repeats every second`,
  );
  await Promise.all([live.close(), stored.close()]);

  const report = await checkViewer(web, await view.newPage(), { screenshotDir: SCREENSHOTS, prefix: 'up-' });
  expect([...problems, ...report.problems]).toEqual([]);
  expect(report.dashboards.flatMap(({ errors }) => errors)).toEqual([]);
  expect(report.dashboards.map(({ uid }) => uid).sort()).toEqual([
    'millrace-host',
    'millrace-logs',
    'millrace-pipeline',
  ]);
  for (const ms of [pipelineMs, hostMs, logsMs]) expect(ms).toBeLessThan(busy ? BUSY_MS : PROMISED_MS);
}, 120_000);

/** In ms since the machine started, over all processors. */
function processorTimes(): { idle: number; all: number } {
  const times = cpus().map((one) => one.times);
  const idle = times.reduce((sum, one) => sum + one.idle, 0);
  const all = times.reduce((sum, one) => sum + one.user + one.nice + one.sys + one.irq + one.idle, 0);
  return { idle, all };
}
