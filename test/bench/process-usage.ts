import { readFileSync } from 'node:fs';

const MIB = 1024 * 1024;
/** Ticks a second in /proc, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** User and system time of a process with all its threads, in seconds, to a hundredth. */
export function cpuSeconds(pid: number): number {
  return sumOfFields(pid, [11, 12]);
}

/** And of its children that have ended. */
export function cpuSecondsWithChildren(pid: number): number {
  return sumOfFields(pid, [11, 12, 13, 14]);
}

function sumOfFields(pid: number, wanted: readonly number[]): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in brackets, may hold anything; what follows is plain.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return wanted.reduce((sum, field) => sum + Number(fields[field]), 0) / TICKS_PER_SECOND;
}

/** Of `/proc/stat`: what all processors together were not idle, in seconds. Waiting for a disk is idle. */
export function busySeconds(stat: string): number {
  const [, user, nice, system, , , ...others] = stat.split('\n')[0]!.split(/\s+/).map(Number);
  // Interrupts, and what a hypervisor gave to others; the guests behind that are users already.
  const [interrupts, softInterrupts, stolen] = others;
  return (user! + nice! + system! + interrupts! + softInterrupts! + stolen!) / TICKS_PER_SECOND;
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
