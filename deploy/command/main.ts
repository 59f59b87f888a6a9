/** `millrace`: one list of commands; each is loaded when it is called. */
import { defineCommand, renderUsage, runCommand, type CommandDef, type SubCommandsDef } from 'citty';

import { ExpectedError } from '../expected-error.ts';
import { version } from '../version.ts';

const commands: SubCommandsDef = {
  up: async () => (await import('./up.ts')).command,
  broker: async () => (await import('./part.ts')).partCommand('broker'),
  store: async () => (await import('./part.ts')).partCommand('store'),
  collector: async () => (await import('./part.ts')).partCommand('collector'),
  agent: async () => (await import('./part.ts')).partCommand('agent'),
  sink: async () => (await import('./part.ts')).partCommand('sink'),
  alerts: async () => (await import('./part.ts')).partCommand('alerts'),
  web: async () => (await import('./part.ts')).partCommand('web'),
  logs: async () => (await import('./logs.ts')).command,
  log: async () => (await import('./log.ts')).command,
  topics: async () => (await import('./topics.ts')).command,
  groups: async () => (await import('./groups.ts')).command,
  rules: async () => (await import('./rules.ts')).command,
  check: async () => (await import('./check.ts')).command,
  generate: async () => (await import('./generate.ts')).command,
};

const root = defineCommand({
  meta: {
    name: 'millrace',
    version,
    description: 'A log and metric pipeline that accounts for every record. `millrace up` runs all of it.',
  },
  subCommands: commands,
});

/** Runs one command line; errors that say everything are printed without a stack, with exit code 1. */
export async function main(argv: readonly string[]): Promise<void> {
  const [first, ...rest] = argv;
  if (first === 'part') {
    const { serveSupervisor } = await import('../process/part-process.ts');
    await serveSupervisor();
    return;
  }
  try {
    if (first === '--version' || first === '-v') {
      console.log(version);
      return;
    }
    if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
      await printUsage(root as CommandDef);
      return;
    }
    if (!(first in commands)) {
      throw new ExpectedError(`unknown command ${first} (see \`millrace --help\`)`);
    }
    if (rest.includes('--help') || rest.includes('-h')) {
      await printHelp(first, rest);
      return;
    }
    await runCommand(root as CommandDef, { rawArgs: [...argv] });
  } catch (error) {
    const { name, message } = error as Error;
    // citty's own complaints (a missing argument) read like ours.
    const expected = error instanceof ExpectedError || name === 'CLIError';
    console.error(expected ? message : error);
    process.exitCode = 1;
  }
}

async function printHelp(first: string, rest: readonly string[]): Promise<void> {
  let parent: CommandDef = root as CommandDef;
  let command = await load(commands, first);
  for (const arg of rest) {
    const inner = command.subCommands as SubCommandsDef | undefined;
    if (!inner || !(arg in inner)) break;
    parent = command;
    command = await load(inner, arg);
  }
  await printUsage(command, parent);
}

async function load(list: SubCommandsDef, name: string): Promise<CommandDef> {
  const entry = list[name];
  return (typeof entry === 'function' ? await entry() : await entry) as CommandDef;
}

async function printUsage(command: CommandDef, parent?: CommandDef): Promise<void> {
  console.log(await renderUsage(command, parent));
}

// Run directly from the sources or as a part's process; the launcher imports `main` instead.
if (process.argv[1] && import.meta.filename === process.argv[1]) await main(process.argv.slice(2));
