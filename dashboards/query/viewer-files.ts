/** The viewer's built files: a single page application, so that its own addresses all serve `index.html`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Addresses that the viewer itself understands. */
const PAGES = ['/', '/d/:uid', '/d/:uid/:slug', '/logs', '/alerts', '/status'];

// Nothing inline, nothing from elsewhere, and no text that becomes markup: log lines are whatever a stranger wrote.
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const NO_VIEWER =
  'The viewer is not built here. Its APIs answer all the same: /api/dashboards, /loki/api/v1/labels, /metrics.\n';

export async function viewerFiles(app: FastifyInstance, viewerDir: string | undefined): Promise<void> {
  if (viewerDir === undefined || !existsSync(join(viewerDir, 'index.html'))) {
    for (const page of PAGES)
      app.get(page, (_request, reply) => reply.code(404).type('text/plain').send(NO_VIEWER));
    return;
  }
  await app.register(fastifyStatic, {
    root: viewerDir,
    index: false,
    wildcard: true,
    prefix: '/',
    cacheControl: false,
    setHeaders(response, path) {
      if (path.endsWith('.html')) void response.header('content-security-policy', CONTENT_SECURITY_POLICY);
      // Built assets carry a hash in their name; the page that names them must not be kept.
      const immutable = /[.-][\w-]{8,}\.(js|css|woff2)$/.test(path);
      void response.header('cache-control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  for (const page of PAGES) {
    app.get(page, (_request, reply) => reply.sendFile('index.html'));
  }
}
