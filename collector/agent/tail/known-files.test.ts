import { describe, expect, test } from 'vitest';

import { isRotatedName } from './known-files.ts';

describe('names that a rotation gives', () => {
  test.each([
    ['app.log', 'app.log.1', true],
    ['app.log', 'app.log.12.gz', true],
    ['app.log', 'app.log-20261122', true],
    ['app.log', 'app.log.2026-11-22', true],
    ['app.log', 'app.log.2026-11-22T10:15:00Z', true],
    ['app.log', 'app.log-20261122-1700000000', true],
    ['app.log', 'app.log.old', true],
    ['app.log', 'app-1.log', true],
    ['app.log', 'app.3.log', true],
    ['app.log', 'app-2026-11-22.log', true],
    ['syslog', 'syslog.1', true],
    ['app.log', 'app.log', false],
    ['app.log', 'app-error.log', false],
    ['app.log', 'app.error.log', false],
    ['app.log', 'app.log.lock', false],
    ['app.log', 'app.log.swp', false],
    ['app.log', 'app.log.1.pos~', false],
    ['app.log', 'app.logs', false],
    ['app.log', 'app2.log', false],
    ['app.log', 'other.log.1', false],
    ['syslog', 'syslog-ng', false],
  ])('%s: %s: %s', (path, sibling, want) => {
    expect(isRotatedName(`/var/log/${path}`, sibling)).toBe(want);
  });
});
