// The built viewer in a real Chromium over made-up data and the real dashboard files.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test, type TestContext } from 'vitest';
import { bundleViewer, type ViewerFile } from '../../dashboards/viewer/build.ts';
import { startChromium } from '../support/chromium.ts';
import { checkViewer } from '../support/viewer-check.ts';
import { HOSTILE_LINES, startViewerFixture, type ViewerFixture } from '../support/viewer-fixture.ts';

const SCREENSHOTS = fileURLToPath(new URL('../../build/screenshots', import.meta.url));

let browser: Browser | undefined;
let fixture: ViewerFixture;
let files: ViewerFile[];
let outDir: string;
let reason = '';

beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), 'millrace-viewer-'));
  files = await bundleViewer(outDir);
  fixture = await startViewerFixture(outDir);
  const started = await startChromium();
  if ('browser' in started) browser = started.browser;
  else {
    reason = started.reason;
    console.warn(`viewer in a browser: skipped, ${reason}`);
  }
});

afterAll(async () => {
  await browser?.close();
  await fixture?.close();
  await rm(outDir, { recursive: true, force: true });
});

async function withPage(
  context: TestContext,
  run: (page: Page) => Promise<void>,
  options: BrowserContextOptions = {},
): Promise<void> {
  if (!browser) return context.skip(reason);
  const opened = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: 'dark',
    ...options,
  });
  try {
    await run(await opened.newPage());
  } finally {
    await opened.close();
  }
}

const url = (path: string): string => fixture.baseUrl + path;

test('the bundle is small and refers to nothing outside', () => {
  const script = files.find(({ name }) => name.endsWith('.js'));
  console.log(
    files.map(({ name, gzipBytes }) => `${name} ${(gzipBytes / 1000).toFixed(1)} kB gz`).join(', '),
  );
  expect(script?.gzipBytes).toBeLessThan(80_000);
  expect(files.map(({ name }) => name.replace(/-[0-9a-f]{10}/, '')).sort()).toEqual([
    'assets/icon.svg',
    'assets/viewer.css',
    'assets/viewer.js',
    'index.html',
  ]);
});

test('all dashboards and pages render with data', (context) =>
  withPage(context, async (page) => {
    const report = await checkViewer(fixture.baseUrl, page, { screenshotDir: SCREENSHOTS });
    expect(report.problems).toEqual([]);
    expect(report.dashboards.length).toBeGreaterThanOrEqual(3);
    for (const { uid, ready, empty, errors } of report.dashboards) {
      expect({ uid, empty, errors }).toEqual({ uid, empty: 0, errors: [] });
      expect(ready).toBeGreaterThan(1);
    }
    expect(report.screenshots.length).toBe(report.dashboards.length + 3);
  }));

test('light where the system is light', (context) =>
  withPage(
    context,
    async (page) => {
      await page.goto(url('/d/millrace-pipeline'));
      await page.waitForSelector('.u-over');
      const background = await page.$eval('body', (body) => getComputedStyle(body).backgroundColor);
      expect(background).toBe('rgb(241, 243, 245)');
      await page.screenshot({ path: `${SCREENSHOTS}/light.png` });
    },
    { colorScheme: 'light' },
  ));

test('charts draw, and a brush over one sets the time range in the URL', (context) =>
  withPage(context, async (page) => {
    await page.goto(url('/d/millrace-pipeline'));
    const over = page.locator('.panel[data-panel="12"] .u-over');
    await over.waitFor();
    const inked = await page.$eval('.panel[data-panel="12"] canvas', (canvas) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const data =
        (canvas as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height).data ?? [];
      let count = 0;
      for (let at = 3; at < data.length; at += 4) if ((data[at] ?? 0) > 0) count += 1;
      return count / (width * height);
    });
    expect(inked).toBeGreaterThan(0.05);

    const box = await over.boundingBox();
    if (!box) throw new Error('the chart has no place');
    await page.mouse.move(box.x + box.width * 0.25, box.y + 20);
    await page.waitForSelector('.tooltip');
    expect(await page.textContent('.tooltip')).toContain('otlp_logs');
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + 30, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/from=\d{13}&to=\d{13}/);
    const params = new URL(page.url()).searchParams;
    const widthMs = Number(params.get('to')) - Number(params.get('from'));
    expect(widthMs / 300_000).toBeCloseTo(0.5, 1);
  }));

test('rows collapse, variables go to the URL and to the query', (context) =>
  withPage(context, async (page) => {
    await page.goto(url('/d/millrace-pipeline'));
    await page.waitForSelector('.panel[data-panel="12"]');
    await page.click('.row-header:has-text("Throughput")');
    await page.waitForSelector('.panel[data-panel="12"]', { state: 'detached' });

    await page.goto(url('/d/millrace-logs'));
    await page.click('.variable:has-text("Service") .choice > button');
    const asked = page.waitForRequest(
      (request) =>
        request.method() === 'POST' && (request.postData() ?? '').includes('"service":["shop-service"]'),
    );
    await page.click('.choice-popover li:has-text("shop-service") button');
    await asked;
    expect(page.url()).toContain('var-service=shop-service');
  }));

test('log text stays text, whatever it holds', (context) =>
  withPage(context, async (page) => {
    const outside: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(fixture.baseUrl)) outside.push(request.url());
    });
    for (const path of ['/d/millrace-logs?from=now-5m', '/logs']) {
      await page.goto(url(path));
      await page.waitForSelector('.log-line');
      const shown = await page.$$eval('.log-text', (lines) => lines.map((line) => line.textContent));
      for (const line of HOSTILE_LINES) expect(shown).toContain(line);
    }
    expect(await page.evaluate(() => 'pwned' in globalThis)).toBe(false);
    expect(await page.$$eval('.log-text :is(img, script, svg, iframe, a)', (found) => found.length)).toBe(0);
    expect(outside).toEqual([]);
  }));

test('a label narrows the query, a longer line opens, older lines load on scrolling', (context) =>
  withPage(context, async (page) => {
    await page.goto(url('/logs'));
    await page.click('.log-line >> nth=0');
    await page.click('.log-details tr:has-text("service_name") button[title^="Without"]');
    await page.waitForURL((address) => address.search.includes('query='));
    expect(new URL(page.url()).searchParams.get('query')).toMatch(
      /^\{service_name=~"\.\+", service_name!="\w+"\}$/,
    );

    await page.goto(url('/logs?from=now-1h'));
    await page.click('.log-line:has-text("long xxx")');
    await page.click('text=show all 20,005 characters');
    const long = page.locator('.log-line:has-text("long xxx") .log-text');
    expect((await long.textContent())?.length).toBe(20_005);

    await page.$eval('.virtual-list', (list) => list.scrollTo({ top: list.scrollHeight }));
    await page.waitForFunction(() =>
      /^(1,000|[6-9]\d\d) lines/.test(document.querySelector('.list-end')?.textContent ?? ''),
    );
    expect(await page.$$eval('.log-line', (lines) => lines.length)).toBeLessThan(120);
  }));

test('a bad query shows its error beside it', (context) =>
  withPage(context, async (page) => {
    await page.goto(url('/logs?query=%7Bservice_name%3D'));
    await page.waitForSelector('.query-error');
    expect(await page.textContent('.query-error')).toContain('parse error at line 1');
  }));

test('live tail shows lines as they come, holds them while paused, counts what was dropped', (context) =>
  withPage(context, async (page) => {
    await page.goto(url('/logs?live=1'));
    await page.waitForSelector('[data-tail=live]');
    fixture.tail(['first live line']);
    await page.waitForSelector('.log-line:has-text("first live line")');

    await page.keyboard.press('p');
    await page.waitForSelector('[data-tail=paused]');
    fixture.tail(['second', 'third'], 7);
    await page.waitForSelector('text=PAUSED 2 new');
    await page.waitForSelector('text=DROPPED 7');
    expect(
      await page.$$eval('.log-line', (lines) => lines.some((line) => line.textContent?.includes('third'))),
    ).toBe(false);

    await page.click('.pill');
    await page.waitForSelector('.log-line:has-text("third")');
    expect(await page.textContent('[data-tail]')).toBe('LIVE');
    const first = await page.$$eval('.log-text', (lines) =>
      lines.slice(0, 3).map((line) => line.textContent),
    );
    expect(first).toEqual(['third', 'second', 'first live line']);
  }));
