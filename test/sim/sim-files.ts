import type { FileHandle, Files, FileStat } from '../../broker/host/files.ts';
import { crc32c } from '../../broker/log/batch/crc32c.ts';
import {
  applied,
  isDirectory,
  SimDisk,
  type SimDirectory,
  type SimFile,
  type SimNode,
  setNames,
} from './sim-disk.ts';
import type { SimLoop } from './sim-loop.ts';

export type FileOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'datasync'
  | 'truncate'
  | 'rename'
  | 'remove'
  | 'makeDirectory'
  | 'syncDirectory';

/** What happens to one operation instead of success: an error's code, or a write of only some bytes. */
export type Fault = { readonly code: string } | { readonly shortBytes: number };

/** What changes the disk, so that a power cut before, in and after it differs. */
const CHANGING = new Set<FileOperation>([
  'write',
  'datasync',
  'truncate',
  'rename',
  'remove',
  'syncDirectory',
]);

/**
 * One process's view of a simulated disk: `Files` with latency from the virtual clock, faults on demand, and a
 * power cut at any operation, after which nothing that this process waits for ever comes.
 */
export class SimFiles implements Files {
  readonly disk: SimDisk;
  readonly loop: SimLoop;
  /** Decides on a fault per operation. */
  fault: (operation: FileOperation, path: string) => Fault | undefined = () => undefined;
  /** Called for the operation at which the power fails. */
  onCut: () => void = () => {};
  /** The power fails at this operation, counted from the start of this process; 0: never. */
  cutAt = 0;
  operations = 0;
  /** Called, and waited for in a standstill of the clock, before each operation that changes the disk. */
  onChange: ((operation: FileOperation, path: string) => Promise<void>) | undefined;
  off = false;
  static readonly #locked = new WeakMap<SimDisk, Map<string, SimFiles>>();

  constructor(disk: SimDisk, loop: SimLoop) {
    this.disk = disk;
    this.loop = loop;
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<FileHandle> {
    await this.#operate('open', path);
    const { directory, name } = this.#place(path);
    let file = directory.entries.get(name);
    if (file && (mode === 'create' || isDirectory(file))) throw failure('EEXIST', path);
    if (!file) {
      if (mode === 'read') throw failure('ENOENT', path);
      file = this.disk.newFile();
      this.#name(directory, [[name, file]]);
    }
    return this.#handle(file as SimFile, path);
  }

  async readFile(path: string): Promise<Buffer | undefined> {
    await this.#operate('read', path);
    const node = this.#find(path);
    return node && !isDirectory(node) ? Buffer.from(node.cached) : undefined;
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#operate('makeDirectory', path);
    let directory = this.disk.root;
    for (const name of path.split('/').filter(Boolean)) {
      let next = directory.entries.get(name);
      if (!next) this.#name(directory, [[name, (next = this.disk.newDirectory())]]);
      if (!isDirectory(next)) throw failure('ENOTDIR', path);
      directory = next;
    }
  }

  async list(path: string): Promise<string[]> {
    await this.#operate('read', path);
    const node = this.#find(path);
    return node && isDirectory(node) ? [...node.entries.keys()].sort() : [];
  }

  async stat(path: string): Promise<FileStat | undefined> {
    await this.#operate('read', path);
    const node = this.#find(path);
    return node && statOf(node);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#operate('rename', to);
    const source = this.#place(from);
    const target = this.#place(to);
    const node = source.directory.entries.get(source.name);
    if (!node) throw failure('ENOENT', from);
    if (source.directory !== target.directory) throw failure('EXDEV', to);
    this.#name(source.directory, [
      [source.name, undefined],
      [target.name, node],
    ]);
  }

  async remove(path: string): Promise<void> {
    await this.#operate('remove', path);
    // Fine also where the directory is gone, as Node has it.
    if (!this.#find(path)) return;
    const { directory, name } = this.#place(path);
    this.#name(directory, [[name, undefined]]);
  }

  async removeTree(path: string): Promise<void> {
    await this.remove(path);
  }

  async syncDirectory(path: string): Promise<void> {
    const begun = this.disk.order;
    await this.#operate('syncDirectory', path);
    const node = this.#find(path);
    if (!node || !isDirectory(node)) throw failure('ENOENT', path);
    SimDisk.settleNames(node, begun);
  }

  async space(path: string): Promise<{ freeBytes: number; totalBytes: number }> {
    await this.#operate('read', path);
    const { capacityBytes } = this.disk;
    return { freeBytes: Math.max(0, capacityBytes - this.disk.usedBytes()), totalBytes: capacityBytes };
  }

  async lockDirectory(path: string): Promise<(() => Promise<void>) | undefined> {
    await this.#operate('read', path);
    let locks = SimFiles.#locked.get(this.disk);
    if (!locks) SimFiles.#locked.set(this.disk, (locks = new Map()));
    // The dead hold no locks.
    if (locks.get(path)?.off === false) return undefined;
    locks.set(path, this);
    return () => {
      locks.delete(path);
      return Promise.resolve();
    };
  }

  /** The power fails now. */
  cut(): void {
    if (this.off) return;
    this.off = true;
    this.disk.powerCut();
    this.onCut();
  }

  /** The process dies, the machine stays: what was written is kept, synced or not. */
  kill(): void {
    this.off = true;
  }

  #handle(file: SimFile, path: string): FileHandle {
    return {
      read: async (target, position) => {
        await this.#operate('read', path);
        return file.cached.copy(target, 0, position, Math.min(file.cached.length, position + target.length));
      },
      write: async (chunks, position) => {
        const bytes = Buffer.concat(chunks);
        const fault = await this.#operate('write', path, () =>
          this.#change(file, { kind: 'write', order: this.disk.order++, position, bytes }),
        );
        const room = Math.max(0, this.disk.capacityBytes - this.disk.usedBytes());
        const grows = Math.max(0, position + bytes.length - file.cached.length);
        let length = grows > room ? bytes.length - (grows - room) : bytes.length;
        if (fault && 'shortBytes' in fault) length = Math.min(length, Math.max(1, fault.shortBytes));
        if (length <= 0 && bytes.length > 0) throw failure('ENOSPC', path);
        this.disk.trace.number(position);
        this.disk.trace.number(crc32c(bytes, 0, length));
        this.#change(file, {
          kind: 'write',
          order: this.disk.order++,
          position,
          bytes: bytes.subarray(0, length),
        });
        return length;
      },
      datasync: async () => {
        const begun = this.disk.order;
        try {
          await this.#operate('datasync', path, () => this.disk.loseSomePending(file, begun));
        } catch (error) {
          this.disk.loseSomePending(file, begun);
          throw error;
        }
        SimDisk.settleFile(file, begun);
      },
      truncate: async (size) => {
        await this.#operate('truncate', path);
        this.#change(file, { kind: 'truncate', order: this.disk.order++, size });
      },
      stat: async () => {
        await this.#operate('read', path);
        return statOf(file);
      },
      close: () => Promise.resolve(),
    };
  }

  #change(file: SimFile, change: SimFile['pending'][number]): void {
    file.cached = applied(file.cached, change);
    file.pending.push(change);
  }

  #name(directory: SimDirectory, names: ReadonlyArray<readonly [string, SimNode | undefined]>): void {
    setNames(directory.entries, names);
    directory.pendingNames.push({ order: this.disk.order++, names });
  }

  /** Latency, then the fault, if one is due. A cut in the middle lets `half` happen first, by chance. */
  async #operate(operation: FileOperation, path: string, half?: () => void): Promise<Fault | undefined> {
    await new Promise<void>((resolve) => {
      if (!this.off) this.loop.after(0.01 + this.disk.random.unit() * 0.3, () => this.off || resolve());
    });
    this.disk.trace.note(operation, path, this.loop.nowMs);
    if (CHANGING.has(operation)) {
      this.operations += 1;
      if (this.onChange) await this.loop.standStill(this.onChange(operation, path));
      if (this.operations === this.cutAt) {
        if (this.disk.random.chance(0.5)) half?.();
        this.cut();
        await new Promise(() => {});
      }
    }
    const fault = this.fault(operation, path);
    if (fault && 'code' in fault) throw failure(fault.code, path);
    return fault;
  }

  #find(path: string): SimNode | undefined {
    let node: SimNode = this.disk.root;
    for (const name of path.split('/').filter(Boolean)) {
      if (!isDirectory(node)) return undefined;
      const next: SimNode | undefined = node.entries.get(name);
      if (!next) return undefined;
      node = next;
    }
    return node;
  }

  #place(path: string): { directory: SimDirectory; name: string } {
    const at = path.lastIndexOf('/');
    const directory = this.#find(path.slice(0, at));
    if (!directory || !isDirectory(directory)) throw failure('ENOENT', path);
    return { directory, name: path.slice(at + 1) };
  }
}

function statOf(node: SimNode): FileStat {
  const size = isDirectory(node) ? 0 : node.cached.length;
  return { size, modifiedMs: 0, device: 1, inode: node.inode, isDirectory: isDirectory(node) };
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, '${path}'`), { code });
}
