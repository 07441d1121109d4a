// Messages of clients and servers that are right, nearly right, or anything: written by what MCP knows, then damaged.
import fc from "fast-check";
import { message } from "../core/messages.ts";
import { mutate, type Random } from "./random.ts";

const legacy = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
const modern = "2026-07-28";
const revisions = [...legacy, modern, "1999-01-01", ""];
const methods = [
  ..."initialize ping tools/list tools/call prompts/list prompts/get resources/list resources/read".split(" "),
  ..."resources/templates/list resources/subscribe resources/unsubscribe completion/complete logging/setLevel".split(
    " ",
  ),
  ..."server/discover subscriptions/listen tasks/get tasks/result tasks/list tasks/cancel tasks/update".split(" "),
  ..."notifications/initialized notifications/cancelled notifications/progress notifications/roots/list_changed".split(
    " ",
  ),
  ..."notifications/tools/list_changed notifications/message elicitation/create sampling/createMessage roots/list".split(
    " ",
  ),
  ..."rpc.discover __proto__ constructor toString".split(" "),
];
const names = [
  "time__now",
  "text__count_words",
  "notes__add",
  "time__",
  "__now",
  "find_tools",
  "call_tool",
  "__proto__",
  "x".repeat(300),
  "",
];
const uris = ["notes://note/1", "mcpctl://time/x", "mcpctl://time/%", "file:///etc/passwd", "a", "", "x:".repeat(500)];

interface Params extends Readonly<Record<string, unknown>> {
  readonly name: string;
  readonly uri: string;
}

const nothing = { method: "", name: "", isModern: false };

/** Texts to begin with: some that a generator of JSON makes, each damaged in many ways after that. */
export class Messages {
  readonly #random: Random;
  readonly #pool: readonly Buffer[];
  #lastId = 0;
  /** What the last message of a client was that is plainly written; empty of another one. */
  last: { readonly method: string; readonly name: string; readonly isModern: boolean } = nothing;

  constructor(random: Random, seed: number) {
    this.#random = random;
    this.#pool = fc.sample(message, { seed, numRuns: 2_000 }).map((text) => Buffer.from(text));
  }

  /** A client's message, or what claims to be one. */
  fromClient(): Buffer {
    const random = this.#random;
    this.last = nothing;
    const any = random.pick(this.#pool);
    if (random.once(5)) return this.#damaged(any);
    if (random.once(40))
      return Buffer.concat([Buffer.from("["), this.#plain(), Buffer.from(","), any, Buffer.from("]")]);
    return random.once(2) ? this.#damaged(this.#plain()) : this.#plain();
  }

  /** What a server sends where it was asked `id`. */
  fromServer(id: unknown): Buffer {
    const random = this.#random;
    const any = random.pick(this.#pool);
    if (random.once(6)) return this.#damaged(any);
    const reply = Buffer.from(JSON.stringify(this.#reply(id)));
    return random.once(2) ? this.#damaged(reply) : reply;
  }

  #damaged(bytes: Buffer): Buffer {
    return mutate(this.#random, bytes, this.#random.pick(this.#pool));
  }

  #plain(): Buffer {
    const random = this.#random;
    const method = random.pick(methods);
    const isNotice = method.startsWith("notifications/") ? !random.once(10) : random.once(20);
    const isModern = random.once(3);
    const params = random.once(15) ? undefined : this.#params(isModern);
    this.last = { method, name: method.startsWith("resources") ? (params?.uri ?? "") : (params?.name ?? ""), isModern };
    const written = {
      jsonrpc: random.once(50) ? "1.0" : "2.0",
      ...(isNotice ? {} : { id: this.#id() }),
      method,
      params,
    };
    return Buffer.from(JSON.stringify(written));
  }

  #id(): unknown {
    const random = this.#random;
    if (random.once(30)) return random.pick([null, 1.5, -1, 2 ** 53, "", "x".repeat(500), [], {}, true]);
    this.#lastId += 1;
    return random.once(2) ? this.#lastId : `id-${this.#lastId}`;
  }

  #params(isModern: boolean): Params {
    const random = this.#random;
    const meta = {
      ...(isModern && {
        "io.modelcontextprotocol/protocolVersion": random.once(10) ? random.pick(revisions) : modern,
        "io.modelcontextprotocol/clientCapabilities": random.once(5) ? this.#junk() : { elicitation: {} },
        "io.modelcontextprotocol/clientInfo": random.once(5) ? this.#junk() : { name: "fuzz", version: "1" },
      }),
      ...(random.once(3) && { progressToken: random.once(4) ? this.#junk() : random.below(100) }),
    };
    return {
      name: random.once(2) ? "time__now" : random.pick(names),
      uri: random.pick(uris),
      arguments: random.once(3) ? this.#junk() : { text: "a b c", timezone: "UTC" },
      cursor: random.once(2) ? undefined : this.#junk(),
      level: random.pick(["info", "debug", "x", 1]),
      protocolVersion: random.pick(revisions),
      capabilities: random.once(4) ? this.#junk() : {},
      clientInfo: random.once(4) ? this.#junk() : { name: "fuzz", version: "1" },
      ref: random.once(3)
        ? this.#junk()
        : { type: random.pick(["ref/prompt", "ref/resource", "x"]), name: random.pick(names), uri: random.pick(uris) },
      argument: { name: "a", value: "" },
      requestId: random.below(1000),
      requestState: random.once(6) ? this.#junk() : undefined,
      taskId: random.once(6) ? this.#junk() : undefined,
      notifications: random.once(4) ? this.#junk() : undefined,
      ...(Object.keys(meta).length > 0 && { _meta: meta }),
    };
  }

  #junk(): unknown {
    const random = this.#random;
    return random.pick<unknown>([
      null,
      true,
      0,
      -1,
      1e300,
      "",
      "text",
      "\ud800",
      [],
      [[]],
      {},
      { a: { b: [1, null] } },
      "x".repeat(2000),
    ]);
  }

  #reply(id: unknown): object {
    const random = this.#random;
    const kind = random.below(12);
    const answer = random.once(20) ? this.#id() : id;
    const content = [
      {
        type: random.pick(["text", "image", "x"]),
        text: random.once(4) ? this.#junk() : "done",
        data: "AA==",
        mimeType: "a/b",
      },
    ];
    if (kind === 0)
      return {
        jsonrpc: "2.0",
        id: answer,
        error: random.once(3) ? this.#junk() : { code: -32000, message: "no", data: this.#junk() },
      };
    if (kind === 1)
      return { jsonrpc: "2.0", id: random.below(50), method: random.pick(methods), params: this.#params(false) };
    if (kind === 2) return { jsonrpc: "2.0", method: random.pick(methods), params: this.#params(false) };
    if (kind === 3)
      return [
        { jsonrpc: "2.0", id: answer, result: { content } },
        { jsonrpc: "2.0", id: answer, result: this.#junk() },
      ];
    if (kind === 4) return { jsonrpc: "2.0", id: answer, result: this.#junk() };
    if (kind === 5)
      return {
        jsonrpc: "2.0",
        id: answer,
        result: {
          resultType: random.pick(["input_required", "x", 1]),
          inputRequests: this.#junk(),
          requestState: this.#junk(),
        },
      };
    if (kind === 6) return { jsonrpc: "2.0", id: answer, result: { task: this.#junk(), taskId: this.#junk() } };
    return {
      jsonrpc: "2.0",
      id: answer,
      result: { content, structuredContent: this.#junk(), isError: random.once(5) },
    };
  }
}
