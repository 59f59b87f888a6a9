import { expect, test } from 'vitest';

import { hideSecrets } from './hide-secrets.ts';

test('passwords are hidden, files with passwords are named', () => {
  const settings = {
    kafka: { sasl: { username: 'ann', password: 'pencil' } },
    collector: { kafka: { sasl: { passwordFile: '/etc/pw' } } },
    broker: {
      security: {
        plainUsers: { ann: 'pencil' },
        plainUsersFile: '/etc/users.json',
        scramUsers: [{ name: 'ann', password: 'pencil' }],
      },
    },
    clickhouse: { password: '' },
  };
  expect(JSON.parse(JSON.stringify(settings, hideSecrets))).toEqual({
    kafka: { sasl: { username: 'ann', password: '***' } },
    collector: { kafka: { sasl: { passwordFile: '/etc/pw' } } },
    broker: {
      security: {
        plainUsers: { ann: '***' },
        plainUsersFile: '/etc/users.json',
        scramUsers: [{ name: 'ann', password: '***' }],
      },
    },
    clickhouse: { password: '' },
  });
});
