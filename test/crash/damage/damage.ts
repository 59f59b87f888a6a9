import { isDirectory, type SimDirectory, type SimFile, SimDisk } from '../../sim/sim-disk.ts';
import { SimMachine } from '../../sim/sim-host.ts';
import { type Look, lookAt } from './look.ts';
import { type Sample, sampleDisk } from './samples.ts';

/** What became of all the damage done to one file. */
export interface DamageResult {
  readonly sample: string;
  readonly path: string;
  readonly bytes: number;
  tried: number;
  /** Nobody can tell that anything happened. */
  unharmed: number;
  /** Nothing is missing, and the log says what it found. */
  healed: number;
  /** Batches are missing, and it is said which. */
  lost: number;
  /** The most that one damage cost. */
  lostMax: number;
  readonly failures: string[];
}

/** One way to damage a file. */
export interface Damage {
  readonly name: string;
  readonly apply: (content: Buffer) => Buffer;
  /** The first byte that is not as it was. */
  readonly at: number;
  /** More than one batch may be missing: those behind the place. */
  readonly cuts: boolean;
}

/** Every bit, or one in `step` of them. */
export function* bitFlips(bytes: number, step: number, first = 0): Iterable<Damage> {
  for (let bit = first % step; bit < bytes * 8; bit += step) {
    const at = Math.floor(bit / 8);
    const apply = (content: Buffer): Buffer => {
      const flipped = Buffer.from(content);
      flipped[at]! ^= 1 << (bit % 8);
      return flipped;
    };
    yield { name: `bit ${bit % 8} of byte ${at}`, apply, at, cuts: false };
  }
}

/** The file ends at every byte, or at one in `step` of them. */
export function* truncations(bytes: number, step: number, first = 0): Iterable<Damage> {
  for (let size = first % step; size < bytes; size += step) {
    yield {
      name: `cut to ${size} bytes`,
      apply: (content) => Buffer.from(content.subarray(0, size)),
      at: size,
      cuts: true,
    };
  }
}

export class DamagedSample {
  readonly sample: Sample;
  readonly #disk: SimDisk;
  readonly intact: Look;

  private constructor(sample: Sample, disk: SimDisk, intact: Look) {
    this.sample = sample;
    this.#disk = disk;
    this.intact = intact;
  }

  static async make(sample: Sample): Promise<DamagedSample> {
    const { disk } = await sampleDisk(sample);
    const intact = await lookAt(copyOf(disk), sample);
    if (intact.refused || intact.errors.size > 0 || intact.lines.length > 0) {
      throw new Error(`the sample is not whole: ${JSON.stringify(intact, undefined, 1)}`);
    }
    return new DamagedSample(sample, disk, intact);
  }

  /** Paths and sizes of the files that the sample is about. */
  files(): Array<{ path: string; bytes: number }> {
    const found: Array<{ path: string; bytes: number }> = [];
    const visit = (directory: SimDirectory, at: string): void => {
      for (const [name, node] of directory.entries) {
        if (isDirectory(node)) visit(node, `${at}/${name}`);
        else found.push({ path: `${at}/${name}`, bytes: node.cached.length });
      }
    };
    visit(this.#disk.root, '');
    return found.filter(({ path }) => this.sample.isMeant(path));
  }

  async try(path: string, damages: Iterable<Damage>): Promise<DamageResult> {
    const result: DamageResult = {
      sample: this.sample.name,
      path,
      bytes: fileAt(this.#disk, path).cached.length,
      tried: 0,
      unharmed: 0,
      healed: 0,
      lost: 0,
      lostMax: 0,
      failures: [],
    };
    for (const damage of damages) {
      result.tried += 1;
      try {
        const cost = await this.#tryOne(path, damage);
        result.lostMax = Math.max(result.lostMax, cost.lost);
        if (cost.lost > 0) result.lost += 1;
        else if (cost.told) result.healed += 1;
        else result.unharmed += 1;
      } catch (error) {
        result.failures.push(
          `${path}, ${damage.name}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
    return result;
  }

  async #tryOne(path: string, damage: Damage): Promise<{ lost: number; told: boolean }> {
    const machine = copyOf(this.#disk);
    const file = fileAt(machine.disk, path);
    file.cached = damage.apply(file.cached);
    file.durable = Buffer.from(file.cached);
    const look = await lookAt(machine, this.sample);
    const { lost } = this.#judge(look, path, damage);
    const again = await lookAt(machine, this.sample);
    for (const [key, batch] of look.batches) {
      if (again.batches.get(key) !== batch) throw new Error(`a second start serves something else at ${key}`);
    }
    if (again.batches.size !== look.batches.size || again.facts !== look.facts) {
      throw new Error(`a second start sees something else: ${again.facts}\n--\n${look.facts}`);
    }
    return { lost, told: look.lines.length + look.errors.size > 0 };
  }

  /** Throws when something is served that was not written, or is missing without a word. */
  #judge(look: Look, path: string, damage: Damage): { lost: number } {
    const { intact } = this;
    if (look.refused) throw new Error(`does not start: ${look.refused}`);
    for (const [key, batch] of look.batches) {
      if (intact.batches.get(key) !== batch) throw new Error(`serves at ${key} what was not written`);
    }
    if (look.nextProducerId < intact.nextProducerId) {
      throw new Error(`gives producer id ${look.nextProducerId} again, want ${intact.nextProducerId}`);
    }
    const missing = [...intact.batches.keys()].filter((key) => !look.batches.has(key));
    if (missing.length === 0) {
      if (look.facts !== intact.facts) throw new Error(`tells ${look.facts}\n-- but was\n${intact.facts}`);
      for (const [key, told] of look.times) {
        // Where a batch without records is damaged, nothing is lost but the way past it.
        const isUnknown = told === '?' && look.errors.size > 0;
        if (told !== intact.times.get(key) && !isUnknown) {
          throw new Error(`finds ${told} for the time ${key}, want ${intact.times.get(key)}`);
        }
      }
      return { lost: 0 };
    }
    if (missing.length > 1 && !damage.cuts) throw new Error(`${missing.join(' and ')} are missing`);
    for (const [key, told] of look.times) {
      const want = intact.times.get(key);
      if (told !== want && told !== '?' && look.errors.size > 0 && missing.length === 1) {
        // A later one, behind what cannot be read.
        if (Number(told.split(' ')[0]) < Number(want?.split(' ')[0])) {
          throw new Error(`finds ${told} for the time ${key}, want ${want}`);
        }
      }
    }
    for (const key of missing) this.#checkTold(look, key, path, damage);
    return { lost: missing.length };
  }

  /** A batch that cannot be read any more is named by whoever is asked for it, or by the start that cut it off. */
  #checkTold(look: Look, key: string, path: string, damage: Damage): void {
    const offset = key.slice(key.indexOf('@') + 1);
    const error = look.errors.get(key);
    const said = error === undefined ? look.lines.join('\n') : error;
    if (error?.startsWith('CORRUPT_MESSAGE') === false) throw new Error(`${key} is missing: ${error}`);
    // A write-ahead log that ends between two entries is whole, whoever cut it.
    if (said === '' && damage.cuts && path.endsWith('.wal')) return;
    if (said === '') throw new Error(`${key} is missing, and nothing is said`);
    if (!said.includes(path)) throw new Error(`${key} is missing, and its file is not named: ${said}`);
    const place = key.slice(0, key.indexOf('@'));
    const names =
      error === undefined
        ? said.includes(`"topic":"t","partition":${place.slice(2)}`) && namesOffset(said, Number(offset))
        : said.includes(offset);
    if (!names && !damage.cuts) throw new Error(`${key} is missing, and it is not named: ${said}`);
    if (!/\bat \d+|"position":\d+/.test(said))
      throw new Error(`${key} is missing, and no position is named: ${said}`);
  }
}

/** As `"offset":5`, or within `"from":3,"to":7`. */
function namesOffset(said: string, offset: number): boolean {
  if (new RegExp(`"offset":${offset}\\b`).test(said)) return true;
  for (const [, from, to] of said.matchAll(/"fromOffset":(\d+),"toOffset":(\d+)/g)) {
    if (Number(from) <= offset && offset < Number(to)) return true;
  }
  return false;
}

function copyOf(disk: SimDisk): SimMachine {
  const machine = new SimMachine(1);
  disk.copyTo(machine.disk);
  return machine;
}

function fileAt(disk: SimDisk, path: string): SimFile {
  let directory = disk.root;
  const names = path.split('/').filter(Boolean);
  for (const name of names.slice(0, -1)) directory = directory.entries.get(name) as SimDirectory;
  return directory.entries.get(names.at(-1)!) as SimFile;
}
