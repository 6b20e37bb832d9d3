/** The monitoring port of a NATS server: JSON, of which the few figures are taken that we tell. */
import { limits } from './limits.ts';

/** As the server calls them. */
interface Varz {
  readonly connections: number;
  readonly mem: number;
  readonly cpu: number;
  readonly slow_consumers: number;
  readonly in_bytes: number;
  readonly out_bytes: number;
}

interface Jsz {
  readonly memory: number;
  readonly storage: number;
  readonly config: { readonly max_storage: number };
  readonly api: { readonly errors: number };
}

/** What could be had, each part by itself. */
export interface Monitored {
  readonly varz: Varz | undefined;
  readonly jsz: Jsz | undefined;
}

/** Never rejects. @param base the URL of the monitoring port */
export async function monitored(base: string): Promise<Monitored> {
  const [varz, jsz] = await Promise.all([
    ask(base, 'varz').catch(() => undefined),
    ask(base, 'jsz').catch(() => undefined),
  ]);
  return { varz: varzOf(varz), jsz: jszOf(jsz) };
}

/** @throws Error where it does not answer in time, or with something else */
async function ask(base: string, part: string): Promise<unknown> {
  const url = new URL(part, base.endsWith('/') ? base : `${base}/`);
  const response = await fetch(url, { signal: AbortSignal.timeout(limits.natsAnswerMsMax), redirect: 'error' });
  if (!response.ok || response.body === null) throw new Error(`${url} answers ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > limits.natsAnswerBytesMax)
      throw new Error(`${url} answers more than ${limits.natsAnswerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}

type Json = Readonly<Record<string, unknown>>;

const varzOf = (json: unknown): Varz | undefined => {
  const { connections, mem, cpu, slow_consumers, in_bytes, out_bytes } = (json ?? {}) as Json;
  const figures = { connections, mem, cpu, slow_consumers, in_bytes, out_bytes };
  return Object.values(figures).every(Number.isFinite) ? (figures as unknown as Varz) : undefined;
};

const jszOf = (json: unknown): Jsz | undefined => {
  const { memory, storage, config, api } = (json ?? {}) as Json;
  const max_storage = ((config ?? {}) as Json).max_storage;
  const errors = ((api ?? {}) as Json).errors ?? 0;
  const all = [memory, storage, max_storage, errors].every(Number.isFinite);
  return all ? ({ memory, storage, config: { max_storage }, api: { errors } } as unknown as Jsz) : undefined;
};
