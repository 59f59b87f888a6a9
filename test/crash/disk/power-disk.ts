import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sharedPath } from '../../support/shared.ts';

const DISK_MB = 1_024;

/** A disk whose power can be cut: `powercut.sh` on loop devices. Its pictures are named. */
export class PowerDisk {
  readonly #script: string;
  readonly #base: string;
  readonly #atExit = (): void => this.remove();

  private constructor(script: string) {
    this.#script = script;
    this.#base = mkdtempSync(join(tmpdir(), 'millrace-power-'));
    process.once('exit', this.#atExit);
    this.#run('up');
  }

  /** Why there can be none here; undefined when there can. */
  static problem(): string | undefined {
    if (sharedPath('tools/powercut.sh') === undefined) return '../shared/tools/powercut.sh is absent';
    if (process.getuid?.() !== 0) return 'mounting needs root';
    for (const [tool, from] of [
      ['mkfs.xfs', 'xfsprogs'],
      ['mkfs.ext4', 'e2fsprogs'],
      ['losetup', 'util-linux'],
    ] as const) {
      if (!hasProgram(tool)) return `${tool} is not installed (${from})`;
    }
    return existsSync('/dev/loop-control') ? undefined : 'there are no loop devices';
  }

  static make(): PowerDisk {
    return new PowerDisk(sharedPath('tools/powercut.sh')!);
  }

  /** Where the system under test keeps its data. */
  get data(): string {
    return join(this.#base, 'data');
  }

  /** Where `open` mounts a picture. */
  get snapshot(): string {
    return join(this.#base, 'snap');
  }

  /** Cuts the power: what the disk has received so far is kept under that name. */
  cut(name: string): void {
    this.#run('cut', name);
  }

  open(name: string): void {
    this.#run('open', name);
  }

  close(name: string): void {
    this.#run('close', name);
  }

  /** The power goes while a picture itself is in use. */
  cutPicture(from: string, name: string): void {
    run('cp', ['--reflink=always', this.#image(from), this.#image(name)]);
  }

  /** Nobody uses `data` now: it goes on from the picture, as a machine does that is switched on again. */
  goOnFrom(name: string): void {
    run('umount', [this.data]);
    renameSync(this.#image(name), this.#image('disk'));
    run('mount', ['-o', 'loop', this.#image('disk'), this.data]);
  }

  remove(): void {
    process.off('exit', this.#atExit);
    whenFree(() => this.#run('down'));
    rmSync(this.#base, { recursive: true, force: true });
  }

  #image(name: string): string {
    return join(this.#base, 'host', `${name}.img`);
  }

  #run(verb: string, ...more: string[]): void {
    run('bash', [this.#script, verb, this.#base, ...more]);
  }
}

/** A small file system in memory, which fills up. */
export class SmallDisk {
  readonly path: string;
  readonly #atExit = (): void => this.remove();

  constructor(mib: number) {
    this.path = mkdtempSync(join(tmpdir(), 'millrace-small-'));
    mkdirSync(this.path, { recursive: true });
    run('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', this.path]);
    process.once('exit', this.#atExit);
  }

  static problem(): string | undefined {
    return process.getuid?.() === 0 ? undefined : 'mounting needs root';
  }

  remove(): void {
    process.off('exit', this.#atExit);
    whenFree(() => run('umount', [this.path]));
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function hasProgram(name: string): boolean {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  return path.split(':').some((folder) => existsSync(join(folder, name)));
}

/** A process that was just killed may hold its files for a moment; at the exit of this one nothing can be awaited. */
function whenFree(unmount: () => void): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      unmount();
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      run('sleep', ['0.1']);
    }
  }
}

function run(command: string, args: readonly string[]): void {
  const environment = {
    ...process.env,
    DISK_MB: String(DISK_MB),
    PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
  };
  const { status, error, stderr } = spawnSync(command, args, { env: environment, encoding: 'utf8' });
  if (error || status !== 0) {
    throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr.trim()}`);
  }
}
