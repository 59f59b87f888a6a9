import { defineConfig } from 'vitest/config';

// Checks that every change must pass but that take long: kill loops under load, the walk of an alert. One at a time.
export default defineConfig({
  test: {
    include: ['test/**/*.slow.test.ts'],
    testTimeout: 900_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    globalSetup: ['test/support/global-setup.ts'],
  },
});
