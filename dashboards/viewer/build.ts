/**
 * Bundles the viewer into static files: index.html, one script and one stylesheet with hashed names. No
 * network, no configuration: `buildViewer(outDir)`, or `node dashboards/viewer/build.ts <outDir>`.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

export interface ViewerFile {
  name: string;
  bytes: number;
  gzipBytes: number;
}

const SOURCES = fileURLToPath(new URL('.', import.meta.url));

/** Empties `outDir` and writes the viewer there. */
export async function buildViewer(outDir: string): Promise<void> {
  await bundleViewer(outDir);
}

/** The same, and says how large each file is. */
export async function bundleViewer(outDir: string): Promise<ViewerFile[]> {
  const script = await bundleScript();
  const style = await bundleStyle();
  const scriptName = `viewer-${hashOf(script)}.js`;
  const styleName = `viewer-${hashOf(style)}.css`;
  const html = (await readFile(join(SOURCES, 'index.html'), 'utf8'))
    .replace('/style.css', `/assets/${styleName}`)
    .replace('/main.tsx', `/assets/${scriptName}`);

  await rm(outDir, { recursive: true, force: true });
  await mkdir(join(outDir, 'assets'), { recursive: true });
  const files: [string, string][] = [
    ['index.html', html],
    [`assets/${scriptName}`, script],
    [`assets/${styleName}`, style],
    ['assets/icon.svg', await readFile(join(SOURCES, 'icon.svg'), 'utf8')],
  ];
  for (const [name, text] of files) await writeFile(join(outDir, name), text);
  return files.map(([name, text]) => ({
    name,
    bytes: Buffer.byteLength(text),
    gzipBytes: gzipSync(text).length,
  }));
}

async function bundleScript(): Promise<string> {
  const bundle = await rolldown({
    input: join(SOURCES, 'main.tsx'),
    cwd: SOURCES,
    platform: 'browser',
    tsconfig: false,
    transform: {
      target: 'es2022',
      jsx: { runtime: 'automatic', importSource: 'preact' },
      define: { 'process.env.NODE_ENV': '"production"' },
    },
  });
  try {
    const { output } = await bundle.generate({ format: 'esm', minify: true, codeSplitting: false });
    const [chunk, ...more] = output;
    if (more.length > 0) throw new Error(`cannot bundle the viewer: got ${output.length} files, want 1`);
    return chunk.code;
  } finally {
    await bundle.close();
  }
}

async function bundleStyle(): Promise<string> {
  const uplot = createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css');
  const parts = await Promise.all([readFile(uplot, 'utf8'), readFile(join(SOURCES, 'style.css'), 'utf8')]);
  return parts
    .join('\n')
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/\s*\n\s*/g, '\n')
    .replaceAll(/\n+/g, '\n');
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}

if (import.meta.main) {
  const outDir = process.argv[2] ?? 'build/viewer';
  for (const { name, bytes, gzipBytes } of await bundleViewer(outDir)) {
    console.log(`${name}  ${(bytes / 1000).toFixed(1)} kB, ${(gzipBytes / 1000).toFixed(1)} kB gzipped`);
  }
}
