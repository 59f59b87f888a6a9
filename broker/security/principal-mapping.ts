/**
 * Kafka's `ssl.principal.mapping.rules`: from the subject of a certificate to a name. The first rule that matches the
 * whole subject counts.
 *
 *     RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/,RULE:^CN=(.*?)$/$1/L,DEFAULT
 */
export type PrincipalMapping = (subject: string) => string | undefined;

const RULE = /^RULE:((?:\\.|[^\\/])*)\/((?:\\.|[^\\/])*)\/([LU]?)$/;
/** Commas between rules, not those within one. */
const BETWEEN = /,\s*(?=DEFAULT|RULE:)/;

/** @throws Error when a rule is none */
export function principalMapping(rules: string): PrincipalMapping {
  const parsed = rules.trim().split(BETWEEN).map(parse);
  return (subject) => {
    for (const rule of parsed) {
      const name = rule(subject);
      if (name !== undefined) return name;
    }
    return undefined;
  };
}

function parse(rule: string): PrincipalMapping {
  const text = rule.trim();
  if (text === 'DEFAULT' || text === '') return (subject) => subject;
  const parts = RULE.exec(text);
  if (!parts) throw cannotUse(text, 'DEFAULT or RULE:pattern/replacement/[LU]');
  const [, pattern, replacement, letters] = parts as unknown as [string, string, string, string];
  let whole: RegExp;
  try {
    whole = new RegExp(`^(?:${pattern.replaceAll('\\/', '/')})$`);
  } catch (error) {
    throw cannotUse(text, `a pattern (${(error as Error).message})`);
  }
  return (subject) => {
    if (!whole.test(subject)) return undefined;
    const name = subject.replace(whole, replacement);
    if (letters === 'L') return name.toLowerCase();
    return letters === 'U' ? name.toUpperCase() : name;
  };
}

function cannotUse(rule: string, want: string): Error {
  return new Error(`cannot map principals: got ${JSON.stringify(rule)}, want ${want}`);
}
