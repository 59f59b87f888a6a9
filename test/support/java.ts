/**
 * Java for the tests: which jars there are, our classes compiled, virtual machines with a deadline. What is made
 * stands under `build/java`, once for a state of `pom.xml` and sources; the jars stay where Maven keeps them.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const PROJECT = join(ROOT, 'test/clients/java');
const SOURCES = join(PROJECT, 'src/millrace');
const BUILD = join(ROOT, 'build/java');

/** The class paths that `pom.xml` has as profiles. */
export const CLASS_PATHS = ['server', 'tools', 'streams', 'clients-4.4', 'clients-3.9'] as const;
export type ClassPath = (typeof CLASS_PATHS)[number];

/** Sources that need more than the clients. */
const OWN_CLASS_PATH: Readonly<Record<string, ClassPath>> = {
  'RealKafka.java': 'server',
  'Tools.java': 'tools',
  'Streams.java': 'streams',
};

/** Small and started quickly: most of these run for seconds. */
const JVM = ['-Xshare:auto', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
/** On stderr. The one line that says that a server has started is wanted. */
const LOGGING = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
];
const MAVEN_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath';
const MAVEN_TIMEOUT_MS = 240_000;

export interface Java {
  /** Jars and our classes, for who starts a virtual machine with settings of its own. */
  classPath(name: ClassPath): string;
  /** A virtual machine that goes on until it ends or is killed. */
  spawn(classPath: ClassPath, mainClass: string, args: readonly string[], heapMib?: number): ChildProcess;
  /** One that runs to its end; killed at the deadline, and then its code is null. */
  run(
    classPath: ClassPath,
    mainClass: string,
    args: readonly string[],
    deadlineMs: number,
  ): Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Java with everything in place, or the reason why not: no Java, no Maven, no jars to be had. */
export function prepareJava(): Java | string {
  for (const program of ['java', 'javac', 'mvn']) {
    if (spawnSync(program, ['-version'], { stdio: 'ignore' }).error) return `${program} is not installed`;
  }
  const jars = new Map<ClassPath, string>();
  for (const classPath of CLASS_PATHS) {
    const found = resolveJars(classPath);
    if ('problem' in found) return `Maven cannot get the jars of ${classPath}: ${found.problem}`;
    jars.set(classPath, found.jars);
  }
  const classes = compiledClasses((classPath) => jars.get(classPath)!);
  const pathOf = (classPath: ClassPath): string => [classes, jars.get(classPath)!].join(delimiter);
  const command = (
    classPath: ClassPath,
    mainClass: string,
    args: readonly string[],
    heapMib: number,
  ): string[] => {
    return [...JVM, `-Xmx${heapMib}m`, ...LOGGING, '-cp', pathOf(classPath), mainClass, ...args];
  };
  const start = (args: readonly string[], deadlineMs?: number): ChildProcess =>
    spawn('java', args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: deadlineMs, killSignal: 'SIGKILL' });
  return {
    classPath: pathOf,
    spawn: (classPath, mainClass, args, heapMib = 256) => start(command(classPath, mainClass, args, heapMib)),
    run: (classPath, mainClass, args, deadlineMs) => {
      const child = start(command(classPath, mainClass, args, 256), deadlineMs);
      let stdout = '';
      let stderr = '';
      child.stdout!.on('data', (chunk: Buffer) => void (stdout += chunk.toString()));
      child.stderr!.on('data', (chunk: Buffer) => void (stderr += chunk.toString()));
      return new Promise((done, failed) => {
        child.once('error', failed);
        child.once('close', (code) => done({ code, stdout, stderr }));
      });
    },
  };
}

/** The jars of a class path as Maven found them; asked once for a state of `pom.xml`. */
function resolveJars(classPath: ClassPath): { jars: string } | { problem: string } {
  const directory = join(BUILD, `jars-${digest([join(PROJECT, 'pom.xml')])}`);
  const kept = join(directory, classPath);
  if (existsSync(kept)) {
    const jars = readFileSync(kept, 'utf8').trim();
    if (jars.split(delimiter).every((jar) => existsSync(jar))) return { jars };
  }
  mkdirSync(directory, { recursive: true });
  const output = `${kept}.${process.pid}.tmp`;
  const args = ['-q', '-B', '-f', PROJECT, '-P', classPath, MAVEN_GOAL, `-Dmdep.outputFile=${output}`];
  const maven = spawnSync('mvn', args, { encoding: 'utf8', timeout: MAVEN_TIMEOUT_MS });
  if (maven.status !== 0) {
    const said = `${maven.stdout}${maven.stderr}`.split('\n').find((line) => line.includes('ERROR'));
    return { problem: said ?? maven.error?.message ?? 'no reason given' };
  }
  renameSync(output, kept);
  return { jars: readFileSync(kept, 'utf8').trim() };
}

/** The directory of our classes, compiled once for a state of the sources. */
function compiledClasses(jarsOf: (classPath: ClassPath) => string): string {
  const sources = readdirSync(SOURCES).filter((file) => file.endsWith('.java'));
  const paths = sources.toSorted().map((file) => join(SOURCES, file));
  const directory = join(BUILD, `classes-${digest([join(PROJECT, 'pom.xml'), ...paths])}`);
  if (existsSync(directory)) return directory;
  const temporary = `${directory}.${process.pid}.tmp`;
  mkdirSync(temporary, { recursive: true });
  const groups = new Map<ClassPath, string[]>([['clients-4.4', []]]);
  for (const file of sources) {
    const classPath = OWN_CLASS_PATH[file] ?? 'clients-4.4';
    groups.set(classPath, [...(groups.get(classPath) ?? []), join(SOURCES, file)]);
  }
  try {
    for (const [classPath, files] of groups) {
      const all = [temporary, jarsOf(classPath)].join(delimiter);
      const args = ['-proc:none', '-nowarn', '-d', temporary, '-cp', all, ...files];
      const javac = spawnSync('javac', args, { encoding: 'utf8' });
      if (javac.status !== 0) throw new Error(`cannot compile the Java sources:\n${javac.stderr}`);
    }
    renameSync(temporary, directory);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return directory;
}

function digest(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(path).update(readFileSync(path));
  return hash.digest('hex').slice(0, 16);
}
