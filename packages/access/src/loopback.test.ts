import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBeyondLoopback } from './loopback.ts';

describe('an address', () => {
  const near = [
    '127.0.0.1:7420',
    '127.9.8.7:0',
    'localhost:7420',
    'LOCALHOST:7420',
    '[::1]:7420',
    '[0:0:0:0:0:0:0:1]:7420',
    '[::ffff:127.0.0.1]:7420',
  ];
  for (const address of near) {
    it(`${address} is of this machine alone`, () => assert.equal(isBeyondLoopback(address), false));
  }

  const far = [
    '0.0.0.0:7420',
    '[::]:7420',
    '*:7420',
    '0:7420',
    '10.0.0.5:7420',
    '128.0.0.1:7420',
    '[::ffff:10.0.0.5]:7420',
    '[fe80::1]:7420',
    'box:7420',
    'localhost.example:7420',
    '127.0.0.1.example:7420',
    // Could be read in two ways, or as another form of number.
    '::1:7420',
    '127.1:7420',
    '2130706433:7420',
    '[127.0.0.1]x:7420',
    '127.0.0.1%0:7420',
    'dns:127.0.0.1,0.0.0.0:7420',
    ' 127.0.0.1:7420',
    ':7420',
    '127.0.0.1',
    '',
  ];
  for (const address of far) {
    it(`${JSON.stringify(address)} may be reached by others`, () => assert.equal(isBeyondLoopback(address), true));
  }
});
