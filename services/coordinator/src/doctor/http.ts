/** Questions over HTTP, with what may come back bounded. */
import { RegattaError } from '@regatta/kernel';
import { limits } from './limits.ts';

export interface Asking {
  readonly signal: AbortSignal;
  /** Shown as `Bearer`; undefined to show none. */
  readonly token?: string | undefined;
}

/** @param base with or without a slash at its end. @throws RegattaError HTTP_401, HTTP_404, ... by status; Error */
export async function getJson(base: string, path: string, asking: Asking): Promise<unknown> {
  const text = await getText(base, path, asking);
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${new URL(base).host} answers /${path} with something that is no JSON`);
  }
}

/** @throws RegattaError HTTP_401, HTTP_404, ... by status; Error */
export async function getText(base: string, path: string, { signal, token }: Asking): Promise<string> {
  const url = new URL(path, base.endsWith('/') ? base : `${base}/`);
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(url, { headers, signal, redirect: 'error' });
  const text = await bodyOf(response);
  if (response.ok) return text;
  throw new RegattaError(`HTTP_${response.status}`, `answers ${response.status} to /${path}${wordsOf(text)}`);
}

async function bodyOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > limits.answerBytesMax) throw new Error(`answers more than ${limits.answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Of a refusal, where it is short; a page in HTML helps nobody. */
function wordsOf(text: string): string {
  const line = text.trim();
  return line === '' || line.length > 200 || line.startsWith('<') ? '' : `: ${line}`;
}
