import { readdirSync, readFileSync } from 'node:fs';

/** The running parts of an `up` by name, read from /proc: works while any of them is down. Linux only. */
export function partProcesses(upPid: number): Map<string, number> {
  const found = new Map<string, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(fields[1]) !== upPid || fields[0] === 'Z') continue;
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0');
      const part = command.indexOf('part');
      if (part > 0) found.set(command[part + 1]!, Number(entry));
    } catch {
      // ended while we looked
    }
  }
  return found;
}
