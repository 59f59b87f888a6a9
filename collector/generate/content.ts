import type { LogRecordToWrite } from '../../broker/records/otlp/write-logs.ts';

/** A record's content without its time: decided by seed and sequence number alone. */
export interface Content {
  readonly service: string;
  readonly record: LogRecordToWrite;
}

/**
 * Realistic log records: several services with their own forms (plain, logfmt, JSON), a usual mix of levels,
 * templates with ids in them, now and then a stack trace. The same seed and sequence give the same content.
 */
export function contentOf(seed: number, sequence: number): Content {
  const random = randomOf(seed, sequence);
  const service = pick(random, SERVICES);
  const level = levelOf(random());
  const message = pick(random, MESSAGES[level.text] ?? MESSAGES['INFO']!)(random);
  const stack = level.number >= 17 && random() < 0.4 ? `\n${stackTrace(random)}` : '';
  const traced = random() < 0.6;
  const traceId = hex(random, 32);
  const body = FORMS[service.form](service.name, level.text, message + stack, random);
  return {
    service: service.name,
    record: {
      severityNumber: level.number,
      severityText: level.text,
      body,
      attributes: {
        'http.route': pick(random, ROUTES),
        'http.response.status_code': level.number >= 17 ? 500 : pick(random, [200, 200, 200, 201, 204, 404]),
        'user.id': `u-${integer(random, 50_000)}`,
        'duration.ms': Math.round(random() * random() * 900_000) / 1_000,
        'thread.name': `worker-${integer(random, 16)}`,
      },
      ...(traced && { traceId, spanId: hex(random, 16), flags: 1 }),
    },
  };
}

type Random = () => number;
type Form = 'plain' | 'logfmt' | 'json';

const SERVICES: ReadonlyArray<{ name: string; form: Form }> = [
  { name: 'gateway', form: 'logfmt' },
  { name: 'checkout', form: 'json' },
  { name: 'cart', form: 'json' },
  { name: 'payments', form: 'plain' },
  { name: 'inventory', form: 'plain' },
  { name: 'auth', form: 'logfmt' },
  { name: 'mailer', form: 'plain' },
];

const ROUTES = ['/', '/api/cart', '/api/cart/:id', '/api/orders', '/api/orders/:id', '/login', '/health'];

/** Share of each level, the rest is INFO. */
const LEVELS = [
  { text: 'FATAL', number: 21, share: 0.001 },
  { text: 'ERROR', number: 17, share: 0.03 },
  { text: 'WARN', number: 13, share: 0.08 },
  { text: 'DEBUG', number: 5, share: 0.1 },
] as const;

function levelOf(unit: number): { text: string; number: number } {
  let below = 0;
  for (const level of LEVELS) {
    below += level.share;
    if (unit < below) return level;
  }
  return { text: 'INFO', number: 9 };
}

type Message = (random: Random) => string;

const MESSAGES: Readonly<Record<string, readonly Message[]>> = {
  DEBUG: [
    (random) => `cache lookup for key session:${hex(random, 12)} took ${integer(random, 900)} us`,
    (random) => `acquired connection ${integer(random, 64)} of 64 from the pool`,
  ],
  INFO: [
    (random) => `GET /api/orders/${integer(random, 1e6)} 200 in ${integer(random, 400)} ms`,
    (random) =>
      `order ${integer(random, 1e6)} placed by u-${integer(random, 5e4)}, ${integer(random, 9)} items`,
    (random) => `payment ${hex(random, 8)} authorised for ${(random() * 500).toFixed(2)} EUR`,
    (random) =>
      `u-${integer(random, 5e4)} logged in from 10.${octet(random)}.${octet(random)}.${octet(random)}`,
    (random) =>
      `mail ${hex(random, 16)} handed to smtp-${integer(random, 4)}, größe ${integer(random, 90)} kB`,
  ],
  WARN: [
    (random) => `slow query: ${500 + integer(random, 4e3)} ms for order ${integer(random, 1e6)}`,
    (random) => `retry ${1 + integer(random, 4)} of 5 for upstream inventory-${integer(random, 8)}`,
    (random) => `stock of sku-${integer(random, 9_999)} is below ${5 + integer(random, 20)}`,
  ],
  ERROR: [
    (random) => `payment ${hex(random, 8)} declined: gateway answered ${500 + integer(random, 5)}`,
    (random) =>
      `cannot reserve sku-${integer(random, 9_999)}: timeout after ${1_000 + integer(random, 9e3)} ms`,
    (random) => `connection to db-${integer(random, 3)} reset by peer`,
  ],
  FATAL: [(random) => `out of memory: cannot allocate ${integer(random, 512)} MB, exiting`],
};

type Write = (service: string, level: string, message: string, random: Random) => string;

const FORMS: Readonly<Record<Form, Write>> = {
  plain: (service, level, message) => `[${service}] ${level} ${message}`,
  logfmt: (service, level, message, random) =>
    `level=${level.toLowerCase()} service=${service} request=${hex(random, 8)} msg=${JSON.stringify(message)}`,
  json: (service, level, message, random) =>
    JSON.stringify({ level, service, request: hex(random, 16), pid: 1 + integer(random, 3e4), msg: message }),
};

const FRAMES = [
  'handleRequest',
  'withRetry',
  'Pool.acquire',
  'OrderService.place',
  'PaymentClient.authorise',
];

function stackTrace(random: Random): string {
  const lines = Array.from({ length: 3 + integer(random, 12) }, () => {
    const file = `/srv/app/lib/${pick(random, ['orders', 'payments', 'pool', 'http'])}.js`;
    return `    at ${pick(random, FRAMES)} (${file}:${1 + integer(random, 900)}:${1 + integer(random, 80)})`;
  });
  return ['Error: upstream failed', ...lines].join('\n');
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[integer(random, from.length)]!;
}

function integer(random: Random, below: number): number {
  return Math.floor(random() * below);
}

function octet(random: Random): number {
  return integer(random, 256);
}

function hex(random: Random, digits: number): string {
  let text = '';
  while (text.length < digits) {
    text += integer(random, 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  }
  return text.slice(0, digits);
}

/** A small generator with 32 bits of state, started from both numbers. */
function randomOf(seed: number, sequence: number): Random {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(sequence + 1, 0xc2b2ae35)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
