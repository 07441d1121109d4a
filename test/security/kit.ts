// A gateway process that lets two people in by key, and clients that show them: for attacks of one on the other.
import { createApiKey, hashApiKey } from "../../lib/core/api-key.ts";
import { Gateway, recordOf } from "../e2e/kit.ts";
import { type ModernRequestOptions, modernRequest } from "../kit/modern-raw.ts";
import { type HeaderChanges, RawClient } from "../kit/raw-client.ts";

export type Json = Readonly<Record<string, unknown>>;

/** A client that shows a key with everything that it sends. */
export class KeyClient extends RawClient {
  readonly key: string | undefined;

  constructor(url: string, key: string | undefined) {
    super(url);
    this.key = key;
  }

  override send(
    method: string,
    body: string | object | undefined,
    changes: HeaderChanges = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    const shown = this.key === undefined ? {} : { authorization: `Bearer ${this.key}` };
    return super.send(method, body, { ...shown, ...changes }, signal);
  }

  /** The answer to a request of a legacy session. */
  async ask(method: string, params: object = {}, id: string | number = 1): Promise<Json> {
    return recordOf(JSON.parse(await this.request(method, params, id)));
  }

  /** The answer to a request of the modern era. */
  async askModern(method: string, params: Json = {}, options: ModernRequestOptions = {}): Promise<Json> {
    const { body, headers } = modernRequest(method, params, options);
    const { messages, status, text } = await this.post(body, headers);
    const answer = messages.at(-1);
    if (answer === undefined) throw new Error(`HTTP ${status} and no answer to ${method}: ${text}`);
    return recordOf(JSON.parse(answer));
  }

  /** What is at another path of the gateway. */
  async look(path: string): Promise<{ readonly status: number; readonly text: string; readonly json: Json }> {
    const response = await new KeyClient(new URL(path, this.url).href, this.key).send("GET", undefined);
    const text = await response.text();
    return { status: response.status, text, json: text.startsWith("{") ? recordOf(JSON.parse(text)) : {} };
  }
}

export interface House extends AsyncDisposable {
  readonly gateway: Gateway;
  /** Of whom everything is stolen, and who steals it. */
  client(name: "ada" | "eve", backend?: string): KeyClient;
  /** With a session. */
  session(name: "ada" | "eve", backend?: string): Promise<KeyClient>;
}

/** A gateway that knows Ada and Eve. */
export async function startHouse(backends: Readonly<Record<string, Json>>, more: Json = {}): Promise<House> {
  const keys = { ada: createApiKey(), eve: createApiKey() };
  const hashes = Object.fromEntries(
    Object.entries(keys).map(([name, key]) => [name, { hash: `sha256:${hashApiKey(key)}` }]),
  );
  const gateway = await Gateway.start({ auth: { keys: hashes }, backends, ...more });
  await gateway.up(...Object.keys(backends));
  const client: House["client"] = (name, backend) => new KeyClient(gateway.url(backend), keys[name]);
  return {
    gateway,
    client,
    session: async (name, backend) => {
      const made = client(name, backend);
      await made.initialize();
      return made;
    },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

/** Code and message of an error; fails where there is none. */
export function refusalOf(answer: Json): { readonly code: unknown; readonly message: string; readonly data: Json } {
  const { code, message, data } = recordOf(answer["error"]);
  if (typeof message !== "string") throw new Error(`no error in ${JSON.stringify(answer).slice(0, 500)}`);
  return { code, message, data: recordOf(data) };
}
