import { limits } from './limits.ts';

/** What a client gave, in a message to it: gRPC carries that in a header, which must be short and well formed. */
export function shown(text: string, charactersMax: number = limits.shownCharactersMax): string {
  const short = text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;
  return short.toWellFormed().replaceAll(/\p{Cc}/gu, '\ufffd');
}
