// A modern client without an SDK: it answers what it is asked, or leaves that to the test.
import { modernRequest } from "./modern-raw.ts";
import type { ModernRequestOptions } from "./modern-raw.ts";
import { RawClient } from "./raw-client.ts";
import { recordOf } from "./fixture-world.ts";

type Json = Readonly<Record<string, unknown>>;

/** Everything that a server may ask a client for. */
export const allCapabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

/** What came of one request. */
export interface ModernAnswer {
  readonly status: number;
  readonly result: Json;
  readonly error: Json;
  /** The `inputRequests` of a result that asks for input, by their keys. */
  readonly asked: Readonly<Record<string, Json>>;
  readonly state: string | undefined;
  /** What came before the reply. */
  readonly notifications: readonly Json[];
}

const samples: Json = {
  "elicitation/create": { action: "accept", content: { name: "Ada" } },
  "sampling/createMessage": { role: "assistant", model: "m", content: { type: "text", text: "hi" } },
  "roots/list": { roots: [{ uri: "file:///r" }] },
};

/** The answers to all that was asked. */
export function answersTo(asked: ModernAnswer["asked"]): Json {
  return Object.fromEntries(Object.entries(asked).map(([key, { method }]) => [key, samples[String(method)]]));
}

export class ModernPeer {
  readonly #client: RawClient;
  readonly #options: ModernRequestOptions;
  #lastId = 0;

  constructor(url: string, options: ModernRequestOptions = {}) {
    this.#client = new RawClient(url);
    this.#options = { capabilities: allCapabilities, ...options };
  }

  async request(method: string, params: Json = {}, options: ModernRequestOptions = {}): Promise<ModernAnswer> {
    this.#lastId += 1;
    const { body, headers } = modernRequest(method, params, { id: this.#lastId, ...this.#options, ...options });
    const { status, messages } = await this.#client.post(body, headers);
    const all = messages.map((message) => recordOf(JSON.parse(message)));
    const reply = all.find((message) => message["method"] === undefined) ?? {};
    return { status, ...read(reply), notifications: all.filter((message) => message["method"] !== undefined) };
  }

  call(name: string, args: Json = {}, more: Json = {}, options: ModernRequestOptions = {}): Promise<ModernAnswer> {
    return this.request("tools/call", { name, arguments: args, ...more }, options);
  }

  /** Calls a tool and answers until it is done. */
  async finish(name: string, args: Json = {}): Promise<{ readonly answer: ModernAnswer; readonly rounds: string[][] }> {
    const rounds: string[][] = [];
    let answer = await this.call(name, args);
    while (answer.result["resultType"] === "input_required" && rounds.length < 20) {
      rounds.push(Object.values(answer.asked).map(({ method }) => String(method)));
      answer = await this.call(name, args, { inputResponses: answersTo(answer.asked), requestState: answer.state });
    }
    return { answer, rounds };
  }

  /** Sends a request whose connection is dropped as soon as `signal` says so. */
  async drop(method: string, params: Json, signal: AbortSignal): Promise<void> {
    this.#lastId += 1;
    const { body, headers } = modernRequest(method, params, { id: this.#lastId, ...this.#options });
    await this.#client
      .send("POST", body, headers, signal)
      .then((response) => response.body?.cancel())
      .catch(() => {});
  }
}

function read(reply: Json): Pick<ModernAnswer, "result" | "error" | "asked" | "state"> {
  const result = recordOf(reply["result"] ?? {});
  const requests = Object.entries(recordOf(result["inputRequests"] ?? {}));
  const asked = Object.fromEntries(requests.map(([key, request]) => [key, recordOf(request)]));
  const state = result["requestState"];
  return {
    result,
    error: recordOf(reply["error"] ?? {}),
    asked,
    state: typeof state === "string" ? state : undefined,
  };
}
