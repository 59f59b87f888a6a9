import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { type Acl, type AclFilter, ANYBODY, matches, PATTERN, PERMISSION, WILDCARD } from './acl.ts';
import { aclAuthorizer, canonicalHost } from './acl-authorizer.ts';
import { Acls } from './acls.ts';
import { type Authorizer, OPERATION, type Operation, RESOURCE_TYPE } from './authorizer.ts';

const NOBODY_IS_SUPER = { superUsers: new Set<string>(), allowEveryoneIfNoAclFound: false };

function acl(rule: Partial<Omit<Acl, 'operation'>> & { operation: Operation | 'All' }): Acl {
  return {
    resourceType: RESOURCE_TYPE.Topic,
    resourceName: 'logs',
    patternType: PATTERN.literal,
    principal: 'User:ann',
    host: WILDCARD,
    permissionType: PERMISSION.allow,
    ...rule,
    operation: OPERATION[rule.operation],
  };
}

function authorizer(rules: readonly Acl[], settings = NOBODY_IS_SUPER): Authorizer {
  const value = { version: 1 as const, acls: [...rules] };
  return aclAuthorizer(new Acls({ value, update: () => Promise.reject(new Error('not here')) }), settings);
}

interface Question {
  readonly operation: Operation;
  readonly name?: string;
  readonly principal?: string;
  readonly clientHost?: string;
}

const ask = (of: Authorizer, { operation, name = 'logs', ...who }: Question): boolean =>
  of.allows({
    principal: 'User:ann',
    clientHost: '10.0.0.1',
    resourceType: 'Topic',
    ...who,
    operation,
    name,
  });

describe('what rules allow', () => {
  const deny = { permissionType: PERMISSION.deny };
  const cases: Array<[name: string, rules: Acl[], question: Question, want: boolean]> = [
    ['nothing without a rule', [], { operation: 'Read' }, false],
    ['what a rule allows', [acl({ operation: 'Read' })], { operation: 'Read' }, true],
    ['no other operation', [acl({ operation: 'Read' })], { operation: 'Write' }, false],
    ['nobody else', [acl({ operation: 'Read' })], { operation: 'Read', principal: 'User:bob' }, false],
    [
      'everybody, by User:*',
      [acl({ operation: 'Read', principal: ANYBODY })],
      { operation: 'Read', principal: 'User:bob' },
      true,
    ],
    ['every operation, by All', [acl({ operation: 'All' })], { operation: 'AlterConfigs' }, true],
    ['Describe by Read', [acl({ operation: 'Read' })], { operation: 'Describe' }, true],
    ['Describe by Write', [acl({ operation: 'Write' })], { operation: 'Describe' }, true],
    ['Describe by Delete', [acl({ operation: 'Delete' })], { operation: 'Describe' }, true],
    ['Describe by Alter', [acl({ operation: 'Alter' })], { operation: 'Describe' }, true],
    ['no Describe by Create', [acl({ operation: 'Create' })], { operation: 'Describe' }, false],
    [
      'DescribeConfigs by AlterConfigs',
      [acl({ operation: 'AlterConfigs' })],
      { operation: 'DescribeConfigs' },
      true,
    ],
    ['no Describe by AlterConfigs', [acl({ operation: 'AlterConfigs' })], { operation: 'Describe' }, false],
    ['no Read by Describe', [acl({ operation: 'Describe' })], { operation: 'Read' }, false],
    [
      'every topic, by *',
      [acl({ operation: 'Read', resourceName: WILDCARD })],
      { operation: 'Read', name: 'x' },
      true,
    ],
    [
      'a prefix',
      [acl({ operation: 'Read', resourceName: 'lo', patternType: PATTERN.prefixed })],
      { operation: 'Read' },
      true,
    ],
    [
      'the prefix itself',
      [acl({ operation: 'Read', resourceName: 'logs', patternType: PATTERN.prefixed })],
      { operation: 'Read' },
      true,
    ],
    [
      'nothing beside a prefix',
      [acl({ operation: 'Read', resourceName: 'log.', patternType: PATTERN.prefixed })],
      { operation: 'Read' },
      false,
    ],
    [
      'no star as a prefix of all',
      [acl({ operation: 'Read', resourceName: WILDCARD, patternType: PATTERN.prefixed })],
      { operation: 'Read' },
      false,
    ],
    ['from this host', [acl({ operation: 'Read', host: '10.0.0.1' })], { operation: 'Read' }, true],
    ['not from another host', [acl({ operation: 'Read', host: '10.0.0.2' })], { operation: 'Read' }, false],
    [
      'from IPv4 by an IPv6 socket',
      [acl({ operation: 'Read', host: '10.0.0.1' })],
      { operation: 'Read', clientHost: '::ffff:10.0.0.1' },
      true,
    ],
    [
      'deny wins',
      [acl({ operation: 'Read' }), acl({ operation: 'Read', ...deny })],
      { operation: 'Read' },
      false,
    ],
    [
      'a denied prefix wins over a literal',
      [
        acl({ operation: 'Read' }),
        acl({ operation: 'All', resourceName: 'l', patternType: PATTERN.prefixed, ...deny }),
      ],
      { operation: 'Read' },
      false,
    ],
    [
      'denying everybody wins',
      [acl({ operation: 'Read' }), acl({ operation: 'Read', principal: ANYBODY, ...deny })],
      { operation: 'Read' },
      false,
    ],
    [
      'denying Read does not deny Describe',
      [acl({ operation: 'Write' }), acl({ operation: 'Read', ...deny })],
      { operation: 'Describe' },
      true,
    ],
    [
      'denying another host denies nothing here',
      [acl({ operation: 'Read' }), acl({ operation: 'Read', host: '10.0.0.2', ...deny })],
      { operation: 'Read' },
      true,
    ],
  ];
  for (const [name, rules, question, want] of cases) {
    test(`${name}: ${want}`, () => expect(ask(authorizer(rules), question)).toBe(want));
  }
});

test('super users may everything, whatever is denied; the anonymous one too', () => {
  const settings = { ...NOBODY_IS_SUPER, superUsers: new Set(['User:root', 'User:ANONYMOUS']) };
  const of = authorizer(
    [acl({ operation: 'All', principal: ANYBODY, permissionType: PERMISSION.deny })],
    settings,
  );
  const may = ['User:root', 'User:ANONYMOUS', 'User:ann'].map((principal) =>
    ask(of, { operation: 'Read', principal }),
  );
  expect(may).toEqual([true, true, false]);
});

test('allow.everyone.if.no.acl.found: free until a rule is about the resource, be it for others', () => {
  const of = authorizer([acl({ operation: 'Read', principal: 'User:bob' })], {
    ...NOBODY_IS_SUPER,
    allowEveryoneIfNoAclFound: true,
  });
  expect(ask(of, { operation: 'Read', name: 'other' })).toBe(true);
  expect(ask(of, { operation: 'Read' })).toBe(false);
});

describe('whether there is any topic to write to', () => {
  const write = (rule: Partial<Acl> = {}): Acl => ({ ...acl({ operation: 'Write' }), ...rule });
  const deny = { permissionType: PERMISSION.deny };
  const cases: Array<[name: string, rules: Acl[], want: boolean]> = [
    ['no rule', [], false],
    ['one', [write()], true],
    ['one of somebody else', [write({ principal: 'User:bob' })], false],
    ['one, denied by name', [write(), write(deny)], false],
    [
      'one, denied by a prefix',
      [write(), write({ ...deny, resourceName: 'l', patternType: PATTERN.prefixed })],
      false,
    ],
    ['all, of which one is denied', [write({ resourceName: WILDCARD }), write(deny)], true],
    [
      'a prefix, of which a longer one is denied',
      [
        write({ patternType: PATTERN.prefixed }),
        write({ ...deny, resourceName: 'logs.', patternType: PATTERN.prefixed }),
      ],
      true,
    ],
    [
      'a prefix, of which a shorter one is denied',
      [
        write({ patternType: PATTERN.prefixed }),
        write({ ...deny, resourceName: 'lo', patternType: PATTERN.prefixed }),
      ],
      false,
    ],
    ['one, where all are denied', [write(), write({ ...deny, resourceName: WILDCARD })], false],
  ];
  for (const [name, rules, want] of cases) {
    test(`${name}: ${want}`, () => {
      const question = {
        principal: 'User:ann',
        clientHost: 'h',
        operation: 'Write',
        resourceType: 'Topic',
      } as const;
      expect(authorizer(rules).allowsSome(question)).toBe(want);
    });
  }
});

test('any rules, any question: as a walk over all of them says', () => {
  const names = ['a', 'ab', 'abc', 'b', WILDCARD];
  const rule = fc.record({
    resourceType: fc.constantFrom(RESOURCE_TYPE.Topic, RESOURCE_TYPE.Group),
    resourceName: fc.constantFrom(...names),
    patternType: fc.constantFrom(PATTERN.literal, PATTERN.prefixed),
    principal: fc.constantFrom('User:ann', 'User:bob', ANYBODY),
    host: fc.constantFrom('h', 'i', WILDCARD),
    operation: fc.constantFrom(...Object.values(OPERATION).filter((code) => code >= 2)),
    permissionType: fc.constantFrom(PERMISSION.deny, PERMISSION.allow),
  });
  const operations = Object.keys(OPERATION).filter((name) => name !== 'Any' && name !== 'All') as Operation[];
  const question = fc.record({
    principal: fc.constantFrom('User:ann', 'User:bob', 'User:eve'),
    clientHost: fc.constantFrom('h', 'i'),
    operation: fc.constantFrom(...operations),
    resourceType: fc.constantFrom('Topic' as const, 'Group' as const),
    name: fc.constantFrom('a', 'ab', 'abc', 'abcd', 'b', 'c'),
  });
  const outcome = fc.check(
    fc.property(fc.array(rule, { maxLength: 12 }), question, fc.boolean(), (rules, asked, isFree) => {
      const about = rules.filter(
        (one) =>
          one.resourceType === RESOURCE_TYPE[asked.resourceType] &&
          (one.patternType === PATTERN.prefixed
            ? asked.name.startsWith(one.resourceName)
            : [asked.name, WILDCARD].includes(one.resourceName)),
      );
      const mine = about.filter(
        (one) =>
          [asked.principal, ANYBODY].includes(one.principal) &&
          [asked.clientHost, WILDCARD].includes(one.host),
      );
      const code: number = OPERATION[asked.operation];
      const implying = { [OPERATION.Describe]: [3, 4, 6, 7], [OPERATION.DescribeConfigs]: [11] }[code] ?? [];
      const isDenied = mine.some((one) => one.permissionType === 2 && [code, 2].includes(one.operation));
      const isAllowed = mine.some(
        (one) => one.permissionType === 3 && [code, 2, ...implying].includes(one.operation),
      );
      const want = !isDenied && (isAllowed || (about.length === 0 && isFree));
      const settings = { superUsers: new Set<string>(), allowEveryoneIfNoAclFound: isFree };
      expect(authorizer(rules, settings).allows(asked)).toBe(want);
    }),
    { numRuns: 500 },
  );
  expect(fc.defaultReportMessage(outcome)).toBeUndefined();
});

describe('filters find', () => {
  const literal = acl({ operation: 'Read' });
  const prefixed = acl({ operation: 'Read', resourceName: 'lo', patternType: PATTERN.prefixed });
  const all = acl({ operation: 'Write', resourceName: WILDCARD, principal: ANYBODY });
  const other = acl({ operation: 'Read', resourceType: RESOURCE_TYPE.Group });
  const rules = [literal, prefixed, all, other];
  const anything: AclFilter = {
    resourceType: 1,
    resourceName: null,
    patternType: PATTERN.any,
    principal: null,
    host: null,
    operation: 1,
    permissionType: 1,
  };
  const cases: Array<
    [
      name: string,
      filter: Partial<typeof anything> & { resourceName?: string | null; principal?: string | null },
      want: Acl[],
    ]
  > = [
    ['everything', {}, rules],
    ['by type', { resourceType: RESOURCE_TYPE.Group }, [other]],
    ['literal by name', { resourceName: 'logs', patternType: PATTERN.literal }, [literal, other]],
    ['prefixed, any name', { patternType: PATTERN.prefixed }, [prefixed]],
    ['a prefix only by itself', { resourceName: 'logs', patternType: PATTERN.prefixed }, []],
    ['any pattern of that name', { resourceName: 'lo', patternType: PATTERN.any }, [prefixed]],
    ['what applies to that name', { resourceName: 'logs', patternType: PATTERN.match }, rules],
    ['by principal, exactly', { principal: ANYBODY }, [all]],
    ['by operation', { operation: OPERATION.Write }, [all]],
    ['by permission', { permissionType: PERMISSION.deny }, []],
  ];
  for (const [name, filter, want] of cases) {
    test(`${name}`, () => {
      expect(rules.filter((one) => matches({ ...anything, ...filter }, one))).toEqual(want);
    });
  }
});

describe('hosts are compared however they are written', () => {
  const cases = [
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::FFFF:127.0.0.1', '127.0.0.1'],
    ['2001:db8::1', '2001:0DB8:0:0:0:0:0:1'],
    ['::', '0:0:0:0:0:0:0:0'],
  ] as const;
  for (const [one, other] of cases) {
    test(`${one} is ${other}`, () => expect(canonicalHost(one)).toBe(canonicalHost(other)));
  }
});
