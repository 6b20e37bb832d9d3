import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command, InvalidArgumentError } from 'commander';
import { limits } from './limits.ts';
import { clusterCommand, duration, listenAddress, setting, wholeNumber } from './options.ts';

const refused = (read: (text: string) => unknown, ...texts: string[]): void => {
  for (const text of texts) assert.throws(() => read(text), InvalidArgumentError, `accepted ${JSON.stringify(text)}`);
};

describe('a whole number', () => {
  const read = wholeNumber(1, 1_000_000);

  it('may be grouped with underscores or have an exponent', () => {
    assert.deepEqual(['7', '1_000', '1e6'].map(read), [7, 1_000, 1_000_000]);
  });

  it('is refused out of bounds, with the bounds', () => {
    refused(read, '0', '-1', '1000001', '1e7');
    assert.throws(() => read('0'), { message: 'Give a whole number from 1 to 1000000.' });
  });

  it('is refused where it is none', () => {
    refused(read, '', ' ', 'abc', '1.5', '1_', '_1', '1__0', '0x10', '1e', '5 ', 'NaN', 'Infinity');
  });
});

describe('a duration', () => {
  it('is in ms, whatever its unit; a bare number is seconds', () => {
    assert.deepEqual(['500ms', '5s', '1.5m', '2h', '3'].map(duration), [500, 5_000, 90_000, 7_200_000, 3_000]);
  });

  it('is refused where it is none, zero, or longer than a timer can wait', () => {
    refused(duration, '', '0', '0s', '-5s', '5 s', '5d', 's', '.5s', 'abc', '600h');
  });
});

describe('an address to listen on', () => {
  it('may have any port, also 0 for a free one', () => {
    for (const text of ['127.0.0.1:0', 'localhost:65535', '[::1]:7070']) assert.equal(listenAddress(text), text);
  });

  it('is refused without a host or with no such port', () => {
    refused(listenAddress, '', ':0', ':7070', 'localhost', 'localhost:', 'localhost:65536', 'localhost:x');
  });
});

describe('the coordinator to talk to', () => {
  const address = (...words: string[]): unknown => {
    const refuse = (error: Error): never => {
      throw error;
    };
    const command = clusterCommand(new Command())
      .exitOverride(refuse)
      .configureOutput({ writeErr: () => {} });
    return command.parse(words, { from: 'user' }).opts().coordinator;
  };

  it('is a host and a port, and the port is not 0', () => {
    assert.deepEqual(address('--coordinator', 'box:7070'), ['box:7070']);
    assert.throws(() => address('--coordinator', 'box:0'), /with a port from 1 to 65535/);
  });

  it('may be one of several, with commas between them and nothing else', () => {
    assert.deepEqual(address('--coordinator', 'a:1,[::1]:2,c:3'), ['a:1', '[::1]:2', 'c:3']);
    for (const text of ['a:1,', ',a:1', 'a:1,,b:2', 'a:1,b']) {
      assert.throws(() => address('--coordinator', text), /Give HOST:PORT/, text);
    }
    assert.throws(() => address('--coordinator', 'a:1, b:2'), /without spaces/);
    const many = Array.from({ length: limits.coordinatorsMax + 1 }, (_, i) => `a:${i + 1}`).join();
    assert.throws(() => address('--coordinator', many), /at most 16 addresses/);
  });
});

describe('settings', () => {
  it('gather, and the last of a name counts', () => {
    const all = ['a=1', 'b=x=y', 'c=', 'a=2'].reduce<Record<string, string>>(
      (before, text) => setting(text, before),
      {},
    );
    assert.deepEqual(all, { a: '2', b: 'x=y', c: '' });
  });

  it('are refused without a name or a value', () => {
    refused(setting, '', 'a', '=1');
  });
});
