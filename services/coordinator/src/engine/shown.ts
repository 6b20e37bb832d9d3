/** What a client gave, in a message to it: gRPC carries that in a header, which must be short and well formed. */
export function shown(text: string, charactersMax = 100): string {
  const short = text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;
  return short.toWellFormed().replaceAll(/\p{Cc}/gu, '\ufffd');
}
