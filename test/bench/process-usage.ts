import { readFileSync } from 'node:fs';

const MIB = 1024 * 1024;
/** Ticks a second in /proc, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** User and system time of a process with all its threads, in seconds, to a hundredth. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in brackets, may hold anything; what follows is plain.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process now, in MiB. */
export function residentMib(pid: number): number {
  return statusKib(pid, 'VmRSS') / 1024;
}

/** The most that it ever was. */
export function residentPeakMib(pid: number): number {
  return statusKib(pid, 'VmHWM') / 1024;
}

/** Of the process that runs this. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

export function mib(bytes: number): number {
  return bytes / MIB;
}

function statusKib(pid: number, name: string): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? Number.NaN);
}
