import { buildNodeAgent } from '../../collector/node-agent/build.ts';

// Runs once before all tests of a suite.
export default function setup(): void {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 24) {
    throw new Error(
      `cannot run the tests: got Node ${process.versions.node}, want 24 or newer (npm ci installs one; use \`npm test\`)`,
    );
  }
  buildNodeAgent();
}
