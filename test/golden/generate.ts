/**
 * Writes `messages.json`: every message in every version, filled with values by seed, as Apache Kafka's own classes
 * write it: `node test/golden/generate.ts`. Wants Java, Maven and Maven Central.
 *
 * The values come from our schemas, so a field that we lack, or have in the wrong version, stops Kafka's reading of
 * them or changes the bytes.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';

import { type AnyField, type Fields, within } from '../../broker/wire/schema.ts';
import { arbitraryMessage } from '../support/arbitrary-message.ts';
import { plain } from './golden.ts';
import { type GoldenMessage, KINDS, MESSAGES_PATH } from './messages.ts';

/** 3.9 has the versions that 4.0 gave up. */
const RELEASES: ReadonlyArray<{ release: string; profile: readonly string[] }> = [
  { release: '4.4.0', profile: ['-Precords'] },
  { release: '3.9.2', profile: [] },
];
const SEED = 20_261_122;
const SAMPLES = 2;

interface Sample {
  readonly class: string;
  readonly kind: string;
  readonly key: number | undefined;
  readonly version: number;
  readonly json: unknown;
  readonly message: string;
  readonly says: unknown;
  readonly bytes?: string;
}

const scratch = join(import.meta.dirname, '../../build/golden');
mkdirSync(scratch, { recursive: true });
let samples = makeSamples();
for (const { release, profile } of RELEASES) samples = encoded(samples, release, profile);
const made = samples.flatMap(({ message, version, bytes, says }): GoldenMessage[] =>
  bytes === undefined ? [] : [{ message, version, bytes, says }],
);
for (const { message, version, bytes } of samples) {
  if (bytes === undefined) console.log(`${message} v${version}: no release has it`);
}
writeFileSync(MESSAGES_PATH, `[\n${made.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
console.log(`${made.length} messages`);

function makeSamples(): Sample[] {
  return KINDS.flatMap(({ name, kind, key, className, versions: [min, max], fields }) =>
    Array.from({ length: max - min + 1 }, (_, i) => min + i).flatMap((version) =>
      fc
        .sample(arbitraryMessage(fields, version, { bytesMax: 12, stringMax: 8, itemsMax: 2 }), {
          numRuns: SAMPLES,
          seed: SEED + version,
        })
        .map((value) => ({
          class: className,
          kind,
          key,
          version,
          json: kafkaJson(fields, version, value),
          message: name,
          says: plain(value),
        })),
    ),
  );
}

function encoded(given: readonly Sample[], release: string, profile: readonly string[]): Sample[] {
  const java = join(import.meta.dirname, 'java');
  const lib = join(scratch, release);
  const input = join(scratch, `${release}-in.json`);
  const output = join(scratch, `${release}-out.json`);
  const inherit = { stdio: 'inherit' } as const;
  const mavenArguments = [`-Dkafka.version=${release}`, `-DoutputDirectory=${lib}`];
  const goal = ['-q', '-B', '-f', join(java, 'pom.xml'), 'dependency:copy-dependencies'];
  execFileSync('mvn', [...goal, ...profile, ...mavenArguments], inherit);
  writeFileSync(input, JSON.stringify(given));
  execFileSync('java', ['-cp', `${lib}/*`, join(java, 'Encode.java'), input, output], inherit);
  return JSON.parse(readFileSync(output, 'utf8')) as Sample[];
}

/** As Kafka's converters read it: ids in base64, tagged fields only where they differ from their default. */
function kafkaJson(fields: Fields, version: number, value: Readonly<Record<string, unknown>>): unknown {
  const json: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    if (!within(field.versions, version) || value[name] === undefined) continue;
    json[name] = kafkaValue(field, version, value[name]);
  }
  return json;
}

function kafkaValue(field: AnyField, version: number, value: unknown): unknown {
  if (value === null) return null;
  const { shape } = field;
  switch (shape.kind) {
    case 'uuid':
      return Buffer.from((value as string).replaceAll('-', ''), 'hex').toString('base64url');
    case 'bytes':
    case 'records':
      return (value as Buffer).toString('base64');
    case 'struct':
      return kafkaJson(shape.fields, version, value as Record<string, unknown>);
    case 'array': {
      const { element } = shape;
      const isField = 'shape' in element && typeof element.fallback === 'function';
      return (value as unknown[]).map((one) =>
        isField
          ? kafkaValue(element as AnyField, version, one)
          : kafkaJson(element as Fields, version, one as Record<string, unknown>),
      );
    }
    default:
      return value;
  }
}
