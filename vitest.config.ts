import { defineConfig } from 'vitest/config';

// The fast suite: everything that `npm test` runs. Slow suites (kill loops) live in vitest.slow.config.ts.
export default defineConfig({
  test: {
    include: ['{collector,broker,sinks,dashboards,deploy,test}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/*.slow.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    globalSetup: ['test/support/global-setup.ts'],
  },
});
