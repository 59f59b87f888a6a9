import { expect, test } from 'vitest';

import { oracleDecode } from '../../../test/support/otlp-oracle.ts';
import { exportResponse, statusResponse } from './responses.ts';

test('full success is empty', () => {
  expect(exportResponse('logs', 'protobuf')).toHaveLength(0);
  expect(exportResponse('logs', 'json').toString()).toBe('{}');
});

test('partial success names what was rejected', () => {
  const partial = { rejected: 3, message: 'too large' };
  expect(oracleDecode('ExportLogsResponse', exportResponse('logs', 'protobuf', partial))).toEqual({
    partialSuccess: { rejectedLogRecords: '3', errorMessage: 'too large' },
  });
  const names = {
    logs: 'rejectedLogRecords',
    metrics: 'rejectedDataPoints',
    spans: 'rejectedSpans',
  } as const;
  for (const signal of ['logs', 'metrics', 'spans'] as const) {
    expect(JSON.parse(exportResponse(signal, 'json', partial).toString())).toEqual({
      partialSuccess: { [names[signal]]: '3', errorMessage: 'too large' },
    });
  }
});

test('an error is a google.rpc.Status', () => {
  expect(oracleDecode('RpcStatus', statusResponse('protobuf', 3, 'bad'))).toEqual({
    code: 3,
    message: 'bad',
  });
  expect(JSON.parse(statusResponse('json', 14, 'later').toString())).toEqual({ code: 14, message: 'later' });
});
