import { defineCommand } from 'citty';

import { formatLintReport, formatTestReport, lintRules, testRules } from '../../sinks/alerts/rule-test.ts';
import { ExpectedError } from '../expected-error.ts';
import { refuseUnknown } from './options.ts';

const args = {
  files: { type: 'positional', required: true, description: 'Files, or paths with * in their last part' },
} as const;

const test = defineCommand({
  meta: {
    name: 'test',
    description: 'Run *_test.yaml files (promtool form, with input_logs) without a server',
  },
  args,
  async run({ args: given, rawArgs }) {
    refuseUnknown(rawArgs, args, 'rules test');
    const report = await testRules(given._);
    console.log(formatTestReport(report));
    if (!report.ok) process.exitCode = 1;
  },
});

const lint = defineCommand({
  meta: { name: 'lint', description: 'Check rule files: every problem with file:line:column' },
  args,
  async run({ args: given, rawArgs }) {
    refuseUnknown(rawArgs, args, 'rules lint');
    const report = await lintRules(given._);
    console.log(formatLintReport(report));
    if (!report.ok) process.exitCode = 1;
  },
});

export const command = defineCommand({
  meta: { name: 'rules', description: 'Test or check alert rules on their own' },
  subCommands: { test, lint },
  run({ rawArgs }) {
    if (rawArgs[0] !== 'test' && rawArgs[0] !== 'lint') {
      throw new ExpectedError(
        'cannot run rules: want `millrace rules test FILE…` or `millrace rules lint FILE…`',
      );
    }
  },
});
