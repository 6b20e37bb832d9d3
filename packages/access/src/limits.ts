/** What a secret may be, units in the names. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views: accessLimitViews } = defineLimits({
  // 96 bits of random text in base64.
  tokenCharactersMin: limit(16, 'characters', 'of a token; a shorter one could be guessed'),
  tokenCharactersMax: limit(4_096, 'characters', 'of a token that is given; a longer one is wrong'),
  secretFileBytesMax: limit(8_192, 'bytes', 'of a file that holds a token or a password'),
});
