// Control traffic to servers that give and judge tokens: bounded in time and size, and to no other address than was named.

import { Scope } from "./scope.ts";
import { decodeText, isRecord, joinBytes } from "./text.ts";

const answerMs = 5_000;
const maxBytes = 1024 * 1024;

export interface Asked {
  readonly status: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** By its lower-case name. */
  header(name: string): string | undefined;
}

/** One request: no redirects, no more than a MiB, no longer than five seconds. Rejects with an error that says what failed. */
export async function ask(url: string, init: RequestInit): Promise<Asked> {
  const abort = new AbortController();
  using scope = new Scope(undefined, answerMs, () => new Error(`no answer within ${answerMs} ms`));
  scope.onCancel((reason) => abort.abort(reason));
  try {
    const response = await fetch(url, { ...init, redirect: "manual", signal: abort.signal });
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of response.body ?? []) {
      length += piece.length;
      if (length > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
      pieces.push(piece);
    }
    const { status, headers } = response;
    const bytes = new Uint8Array(joinBytes(pieces));
    return { status, bytes, header: (name) => headers.get(name) ?? undefined };
  } catch (error) {
    abort.abort();
    const why = error instanceof Error ? error.message : String(error);
    const what = scope.cancelled ? `did not answer within ${answerMs} ms` : `cannot be asked (${why})`;
    throw new Error(what, { cause: error });
  }
}

/** The JSON object in an answer; throws where it holds none. */
export function readObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(decodeText(bytes));
  } catch (error) {
    throw new Error("does not answer with JSON", { cause: error });
  }
  if (!isRecord(value)) throw new Error("does not answer with a JSON object");
  return value;
}
