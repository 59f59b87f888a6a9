/** One look at the machine. Counters count since its start; bytes, seconds and fractions throughout. */
export interface HostSample {
  /** When the machine started, ms since 1970: what its counters count from. */
  readonly bootMs: number;
  readonly cpus: readonly CpuTimes[];
  readonly memory: Memory;
  /** Over 1, 5 and 15 minutes. */
  readonly load: readonly [number, number, number];
  readonly disks: readonly Disk[];
  readonly networks: readonly Network[];
  readonly fileSystems: readonly FileSystem[];
}

/** Seconds by OpenTelemetry's `cpu.mode`. */
export type CpuTimes = Readonly<Record<CpuMode, number>>;
export const CPU_MODES = ['user', 'system', 'nice', 'idle', 'iowait', 'interrupt', 'steal'] as const;
export type CpuMode = (typeof CPU_MODES)[number];

export interface Memory {
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly buffersBytes: number;
  /** Page cache and reclaimable kernel memory. */
  readonly cachedBytes: number;
  /** What programs could still get without swapping. */
  readonly availableBytes: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
}

export interface Disk {
  readonly device: string;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly reads: number;
  readonly writes: number;
  /** Time in which at least one operation was running, s. */
  readonly busySeconds: number;
}

export interface Network {
  readonly name: string;
  readonly receive: Traffic;
  readonly transmit: Traffic;
}

export interface Traffic {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

export interface Mount {
  readonly device: string;
  readonly path: string;
  readonly type: string;
  readonly readOnly: boolean;
}

export interface FileSystem extends Mount {
  readonly totalBytes: number;
  /** Free for everybody. */
  readonly freeBytes: number;
  /** Free for the administrator only. */
  readonly reservedBytes: number;
}
