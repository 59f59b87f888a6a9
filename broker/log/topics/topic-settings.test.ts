import { describe, expect, test } from 'vitest';

import { LOG_DEFAULTS } from '../config.ts';
import { topicSettings } from './topic-settings.ts';

describe('how lax a topic is', () => {
  const cases: Array<[configs: Record<string, string>, messages: number, ms: number]> = [
    [{}, 1, Infinity],
    [{ 'flush.messages': '1' }, 1, Infinity],
    [{ 'flush.messages': '1', 'flush.ms': '500' }, 1, 500],
    [{ 'flush.messages': '10' }, 10, Infinity],
    [{ 'flush.ms': '500' }, Infinity, 500],
    [{ 'flush.ms': '0' }, 1, 0],
    [{ 'flush.ms': '9223372036854775807' }, Infinity, Infinity],
    [{ 'flush.messages': '9223372036854775807' }, Infinity, Infinity],
  ];
  for (const [configs, flushMessages, flushMs] of cases) {
    test(`${JSON.stringify(configs)}`, () => {
      const settings = topicSettings(configs, { ...LOG_DEFAULTS, dataDir: '/' });
      expect(settings).toMatchObject({ flushMessages, flushMs });
      expect(topicSettings(configs, { ...LOG_DEFAULTS, dataDir: '/' }, true).flushMessages).toBe(1);
    });
  }
});
