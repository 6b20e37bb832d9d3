/**
 * When a server wants to be asked again, by its Retry-After: whole seconds, or a date in any of the three forms that
 * HTTP has had. Source: RFC 9110, sections 10.2.3 and 5.6.7.
 * @param header as `node:http` and undici give it; of several the first counts
 * @param now ms since 1970
 * @returns ms from now, 0 for a date that is past; undefined where there is none, or none that can be read
 */
export function retryAfterMs(header: string | readonly string[] | undefined, now: number): number | undefined {
  const text = (typeof header === 'string' ? header : header?.[0])?.trim();
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  // The oldest form names no zone; all of them mean GMT.
  const date = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
