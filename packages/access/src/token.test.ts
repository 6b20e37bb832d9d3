import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { limits } from './limits.ts';
import { readSecret } from './secret.ts';
import { isInsecure, joinToken, judge, readToken, sameToken, TokenReader, takeSecret } from './token.ts';

const directory = mkdtempSync(join(tmpdir(), 'regatta-token-'));
after(() => rmSync(directory, { recursive: true }));

const TOKEN = 'abcdefgh-12345678';

function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

/** What is said of a file that is no good: one line, and nothing that was in it. */
function refusalOf(read: () => unknown, holds = ''): string {
  try {
    read();
  } catch (thrown) {
    const { message } = thrown as Error;
    assert.doesNotMatch(message, /\n/);
    if (holds !== '') assert.ok(!message.includes(holds), message);
    return message;
  }
  return assert.fail('nothing was refused');
}

describe('a token', () => {
  it('is what its file holds, without white space around it', () => {
    assert.equal(readToken(joinToken(file('good', `\uFEFF ${TOKEN}\r\n`))), TOKEN);
  });

  it('may be a text instead, and its file counts more', () => {
    assert.equal(readToken(joinToken(undefined, `${TOKEN}\n`)), TOKEN);
    assert.equal(readToken(joinToken(file('first', 'of-the-file-of-the-file'), TOKEN)), 'of-the-file-of-the-file');
  });

  it('is none where neither is given, or both are empty', () => {
    assert.equal(readToken(joinToken()), undefined);
    assert.equal(readToken(joinToken('', ' ')), undefined);
  });

  const table: readonly (readonly [string, string, RegExp])[] = [
    ['empty', ' \n', /^\S*empty is empty; --token-file names a file that holds the secret alone$/],
    ['short', 'fifteen-letters', /^the token in \S*short has 15 characters; it must have at least 16$/],
    ['long', 'x'.repeat(limits.tokenCharactersMax + 1), /^the token in \S*long has more than 4096 characters$/],
    ['large', 'x'.repeat(100_000), /^\S*large has more than 8192 bytes/],
    ['lines', `${TOKEN}\n${TOKEN}`, /^the token in \S*lines must be printable ASCII without spaces, on one line$/],
    ['letters', `${TOKEN}é`, /printable ASCII/],
    ['nul', `${TOKEN}\0${TOKEN}`, /printable ASCII/],
  ];
  for (const [name, text, says] of table) {
    it(`is refused in one line where its file is no good: ${name}`, () => {
      const holds = text.trim().slice(0, 15);
      assert.match(
        refusalOf(() => readToken(joinToken(file(name, text))), holds),
        says,
      );
    });
  }

  it('is refused in one line where its file is not there, or is none', () => {
    const missing = join(directory, 'missing');
    assert.match(
      refusalOf(() => readToken(joinToken(missing))),
      /^cannot read what --token-file names: ENOENT.*missing/,
    );
    assert.match(
      refusalOf(() => readToken(joinToken(directory))),
      /^cannot read what --token-file names: EISDIR/,
    );
  });

  it('in the environment is refused by its name alone', () => {
    assert.match(
      refusalOf(() => readToken(joinToken(undefined, 'short-text')), 'short-text'),
      /^the token in REGATTA_TOKEN has 10 characters/,
    );
  });

  it('is taken out of the environment', () => {
    const environment = { REGATTA_TOKEN: TOKEN, OTHER: 'x' };
    assert.equal(takeSecret('REGATTA_TOKEN', environment), TOKEN);
    assert.deepEqual(environment, { OTHER: 'x' });
  });
});

describe('a secret', () => {
  it('is read from what never ends as from what does: no more than it may be', () => {
    assert.match(
      refusalOf(() => readSecret('/dev/zero', '--nats-password-file')),
      /^\/dev\/zero has more than 8192 bytes/,
    );
  });

  it('may have any letters', () => {
    assert.equal(readSecret(file('password', ' p ä ss\n'), '--nats-password-file'), 'p ä ss');
  });
});

describe('a token whose file is replaced', () => {
  it('is the new one', () => {
    const path = file('replaced', TOKEN);
    const reader = new TokenReader(joinToken(path));
    file('replaced', 'another-token-than-before');
    assert.equal(reader.read(), 'another-token-than-before');
  });

  it('is the last good one while the file is being written or gone', () => {
    const path = file('gone', TOKEN);
    const reader = new TokenReader(joinToken(path));
    for (const text of ['', 'short']) {
      file('gone', text);
      assert.equal(reader.read(), TOKEN);
    }
    rmSync(path);
    assert.equal(reader.read(), TOKEN);
  });

  it('is refused where it is no good from the start', () => {
    refusalOf(() => new TokenReader(joinToken(join(directory, 'never'))));
  });
});

describe('a token that is shown', () => {
  const expected = 'the-right-token-0123';

  it('is the same, or is not, whatever of it is right', () => {
    assert.equal(sameToken(expected, expected), true);
    for (const given of ['', expected.slice(0, -1), `${expected}x`, expected.toUpperCase(), 'x'.repeat(10_000_000)]) {
      assert.equal(sameToken(given, expected), false);
    }
  });

  it('comes in a header', () => {
    const verdicts = [undefined, '', `Bearer ${expected}`, `bearer  ${expected}`].map((given) =>
      judge(given, expected),
    );
    assert.deepEqual(verdicts, ['missing', 'missing', 'accepted', 'accepted']);
    for (const given of [
      'Bearer',
      'Bearer ',
      expected,
      `Basic ${expected}`,
      `Bearer ${expected} x`,
      `Bearer ${expected}x`,
    ]) {
      assert.equal(judge(given, expected), 'wrong', given);
    }
  });
});

describe('what is called insecure', () => {
  it('is so by flag, or by a variable that says yes', () => {
    const said = [true, undefined, undefined, undefined].map((flag, i) => isInsecure(flag, ['', '1', 'true', 'x'][i]));
    assert.deepEqual(said, [true, true, true, false]);
    for (const variable of ['', '0', 'false', 'no']) assert.equal(isInsecure(undefined, variable), false);
    assert.equal(isInsecure(false, '0'), false);
  });
});
