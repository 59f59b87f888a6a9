// What a newcomer sees: one command, a browser, and within 15 s the pipeline, the host and the logs.
import { readFileSync } from 'node:fs';
import { appendFile, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startChromium } from '../support/chromium.ts';
import { millrace, type Millrace, startMillrace } from '../support/millrace.ts';
import { sharedPath } from '../support/shared.ts';
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
/** The same where a hypervisor gave the processors to somebody else. */
const STOLEN_SHARE_MAX = 0.05;
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
  running = await startMillrace({ args: ['--tail', join(folder, '*.log')] });
  const readyMs = sinceSpawn();
  const { web } = running;

  const view = await browser.newContext({
    viewport: { width: 1440, height: 3000 },
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
  const stolenShare = (after.stolen - before.stolen) / (after.all - before.all);
  const busy = idleShare < IDLE_SHARE_MIN || stolenShare > STOLEN_SHARE_MAX;
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  console.log(
    `from the start: ready ${seconds(readyMs)}, pipeline ${seconds(pipelineMs)}, host ${seconds(hostMs)}, logs ${seconds(logsMs)}` +
      (busy
        ? `; not held to ${seconds(PROMISED_MS)}, processors idle for ${percent(idleShare)} of it, taken away for ${percent(stolenShare)}`
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
  for (const name of await copyRealLogs(folder)) await showsLastLine(open, join(folder, name));

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

/** Real log files appear where the agent looks for them; none where they are not beside this checkout. */
async function copyRealLogs(target: string): Promise<string[]> {
  const loghub = sharedPath('data/loghub');
  if (loghub === undefined) return [];
  const names = (await readdir(loghub)).filter((name) => name.endsWith('.log'));
  for (const name of names) await copyFile(join(loghub, name), join(target, name));
  return names;
}

/** The log explorer shows the newest line of the file on top, as it stands in the file. */
async function showsLastLine(open: (path: string) => Promise<Page>, file: string): Promise<void> {
  const last = (await readFile(file, 'utf8')).trimEnd().split('\n').at(-1)!;
  const query = encodeURIComponent(`{service_name="${basename(file, '.log')}"}`);
  const page = await open(`/logs?query=${query}&refresh=1s`);
  await page.waitForFunction(
    (text) => document.querySelector('.log-line')?.textContent?.includes(text) ?? false,
    last.trimEnd(),
    { timeout: 30_000 },
  );
  await page.close();
}

/** In clock ticks since the machine started, over all processors; zero where the system has no /proc. */
function processorTimes(): { idle: number; stolen: number; all: number } {
  const line = process.platform === 'linux' ? readFileSync('/proc/stat', 'utf8').split('\n')[0]! : '';
  // user nice system idle iowait irq softirq steal; guest time is in user already
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  return { idle: ticks[3] ?? 0, stolen: ticks[7] ?? 0, all: ticks.reduce((sum, one) => sum + one, 0) };
}
