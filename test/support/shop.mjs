// An application as a user has one: it logs an error every 50 ms while the file named by ERRORS exists, and prints
// when it called the logger. It knows nothing of Millrace.
import { existsSync } from 'node:fs';

import pino from 'pino';

const log = pino(pino.destination({ dest: '/dev/null', sync: true }));
log.info('started');
setInterval(() => {
  if (!existsSync(process.env.ERRORS)) return;
  process.stdout.write(`${Date.now()}\n`);
  log.error({ order: 7 }, 'payment refused');
}, 50);
