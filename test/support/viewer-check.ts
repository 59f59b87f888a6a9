/** What must hold for the viewer at any address, with made-up data or before a running pipeline. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

export interface ViewerReport {
  dashboards: { uid: string; ready: number; empty: number; errors: string[] }[];
  /** Console errors and uncaught exceptions, with the page they came from. */
  problems: string[];
  screenshots: string[];
}

export interface ViewerCheckOptions {
  /** Where screenshots go; none are taken without it. */
  screenshotDir?: string;
  /** Put before the names of screenshots. */
  prefix?: string;
  timeoutMs?: number;
}

/**
 * Opens every dashboard and page and waits until each has loaded. Judging the report is up to the caller:
 * a pipeline that has just started may still have empty panels, but never an error.
 */
export async function checkViewer(
  baseUrl: string,
  page: Page,
  options: ViewerCheckOptions = {},
): Promise<ViewerReport> {
  const { screenshotDir, prefix = '', timeoutMs = 20_000 } = options;
  const report: ViewerReport = { dashboards: [], problems: [], screenshots: [] };
  let at = '/';
  page.on('console', (message) => {
    if (message.type() === 'error') report.problems.push(`${at}: ${message.text()}`);
  });
  page.on('pageerror', (error) => report.problems.push(`${at}: ${error.message}`));
  const shoot = async (name: string): Promise<void> => {
    if (screenshotDir === undefined) return;
    await mkdir(screenshotDir, { recursive: true });
    const path = join(screenshotDir, `${prefix}${name}.png`);
    await page.screenshot({ path });
    report.screenshots.push(path);
  };
  const open = async (path: string, ready: string): Promise<void> => {
    at = path;
    await page.goto(baseUrl + path);
    await page.waitForSelector(ready, { timeout: timeoutMs });
  };

  // Panels far below the screen ask for nothing: make the screen tall enough for all.
  await page.setViewportSize({ width: 1440, height: 3600 });
  const response = await page.request.get(`${baseUrl}/api/dashboards`);
  const entries = (await response.json()) as { uid: string }[];
  for (const { uid } of entries) {
    await open(`/d/${uid}`, '.panel[data-panel]');
    await page.waitForFunction(
      () => document.querySelector('.panel[data-state=loading]') === null,
      undefined,
      {
        timeout: timeoutMs,
      },
    );
    const states = await page.$$eval('.panel[data-panel]', (panels) =>
      panels.map((panel) => ({
        state: panel.getAttribute('data-state'),
        text: `${panel.querySelector('h3')?.textContent}: ${panel.querySelector('.panel-error')?.textContent}`,
      })),
    );
    report.dashboards.push({
      uid,
      ready: states.filter(({ state }) => state === 'ready').length,
      empty: states.filter(({ state }) => state === 'empty').length,
      errors: states.filter(({ state }) => state === 'error').map(({ text }) => text),
    });
    await shoot(uid);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await open('/logs', '.log-area[data-state=ready]');
  await shoot('logs');
  await open('/alerts', '.alerts-page');
  await shoot('alerts');
  await open('/status', '.status-page');
  await page.waitForFunction(() => document.querySelector('.block[data-state=loading]') === null, undefined, {
    timeout: timeoutMs,
  });
  await shoot('status');
  return report;
}
