import { spawn } from 'node:child_process';

/** What the program prints. Rejects, with that in the message, when it fails or takes longer than the deadline. */
export function runProgram(
  command: string,
  args: readonly string[],
  deadlineMs: number,
  {
    cwd,
    environment,
  }: { readonly cwd?: string; readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => void (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(stdout);
      else
        reject(new Error(`${command} ended with ${code ?? 'a signal'}:\n${stdout}\n${stderr.slice(-2_000)}`));
    });
  });
}
