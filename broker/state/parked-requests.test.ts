import { expect, test } from 'vitest';

import { ParkedRequests } from './parked-requests.ts';

test('each is answered by its token, once, in any order', () => {
  const parked = new ParkedRequests<string>();
  const answers: string[] = [];
  const first = parked.park((answer) => answers.push(`first ${answer}`));
  const second = parked.park((answer) => answers.push(`second ${answer}`));
  parked.answer(second, 'a');
  parked.answer(first, 'b');
  parked.answer(first, 'again');
  parked.answer(17, 'nobody');
  expect(answers).toEqual(['second a', 'first b']);
});
