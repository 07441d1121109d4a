// A conversation with one server, in whichever era it speaks: what commands ask it, and what is seen on the wire meanwhile.

import { openLink } from "../backend/connect.ts";
import type { Caller } from "../backend/caller.ts";
import { originOf } from "../backend/failures.ts";
import type { Link, LinkPeer } from "../backend/link.ts";
import type { WireTap } from "../backend/tap.ts";
import type { ReplicaPlan } from "../config/plan.ts";
import { planDefaults } from "../config/plan.ts";
import { type Envelope, scan, spanBytes, spanValue } from "../core/envelope.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { errorMessage, requestMessage, resultMessage } from "../core/rpc.ts";
import { after, Scope } from "../core/scope.ts";
import { asRecord, encodeJson } from "../core/text.ts";
import type { Era, ServerFacts } from "../protocol/codec.ts";
import { legacyCodec } from "../protocol/legacy.ts";
import { modernVersions } from "../protocol/modern-meta.ts";
import type { Evidence } from "./evidence.ts";
import type { Target } from "./target.ts";

/** Who asks; commands are told apart from the gateway by nothing else. */
export interface PeerOptions {
  readonly target: Target;
  /** The first one unless it is said. */
  readonly replica?: ReplicaPlan;
  /** Another era or revision than the config says. */
  readonly protocol?: string;
  /** The version of this program. */
  readonly version: string;
  readonly evidence: Evidence;
  /** What is declared; nothing unless it is said. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
  /** Answers what the server asks; rejections become errors. */
  readonly asked?: (method: string, params: Readonly<Record<string, unknown>>) => Promise<unknown>;
  readonly notified?: (method: string, params: Readonly<Record<string, unknown>>) => void;
  readonly tap?: WireTap;
}

/** How long a command may take, and what interrupts it. */
export interface Patience {
  readonly scope: Scope;
  /** Unix ms. */
  readonly until: number;
}

/** An answer of the server. */
export interface Answer {
  /** The message as it came over the wire. */
  readonly bytes: Uint8Array;
  readonly envelope: Envelope;
  readonly ms: number;
  /** Status and headers, where it came over HTTP. */
  readonly http: HttpHead | undefined;
}

export interface HttpHead {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** A server that takes its time to end is killed with the program. */
const closeMs = 400;

/** A scope for one step of a command: no longer than `maxMs`, and never beyond the end of the whole. */
export function within({ scope, until }: Patience, maxMs: number, late: (ms: number) => GatewayError): Scope {
  const ms = Math.max(0, Math.min(maxMs, until - Date.now()));
  const startedAt = Date.now();
  return new Scope(scope, ms, () => late(Date.now() - startedAt));
}

export function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1).replace(/\.0$/, "")} s`;
}

/** Opens a link and shakes hands; rejects with a `GatewayError`. */
export async function openPeer(options: PeerOptions, patience: Patience): Promise<Peer> {
  const { target, evidence, protocol } = options;
  const plan = protocol === undefined ? target.plan : { ...target.plan, protocol };
  const replica = options.replica ?? plan.replicas[0];
  if (!replica) throw new GatewayError("internal", `${target.name} has no replica`);
  const ears = new Ears(options);
  using scope = within(patience, plan.connectMs, (ms) => lateHandshake(target.name, replica, ms, evidence));
  const startedAt = performance.now();
  let opening: Link | undefined;
  try {
    const link = await openLink(
      {
        plan,
        owner: "",
        client: { name: "mcpctl", version: options.version, capabilities: options.capabilities ?? {} },
        codec: legacyCodec,
        maxMessageBytes: planDefaults.limits.messageBytes,
        peer: ears,
        observer: evidence,
        tap: ears,
      },
      replica,
      scope,
      (link) => (opening = link),
    );
    return new Peer(link, ears, options, performance.now() - startedAt);
  } catch (error) {
    await settle(opening?.gone);
    throw originOf(scope.cancelled ? scope.reason : error);
  }
}

/** Why there was no answer to a handshake: what the server did instead says it. */
export function lateHandshake(name: string, replica: ReplicaPlan, ms: number, evidence: Evidence): GatewayError {
  const [line] = evidence.stdout;
  const [oddity] = evidence.oddities;
  if (oddity !== undefined) {
    const text = `what came within ${seconds(ms)} is no answer to the handshake: ${oddity}`;
    return new GatewayError("badProtocol", text, { backend: name });
  }
  if (line !== undefined) {
    const text = `stdout holds text that is not MCP, and no answer to the handshake came within ${seconds(ms)}`;
    return new GatewayError("foreignOutput", text, { backend: name });
  }
  const where = replica.kind === "stdio" ? "server" : "address";
  return new GatewayError("connectTimeout", `no answer to the handshake from the ${where} within ${seconds(ms)}`, {
    backend: name,
  });
}

/** Resolves when the promise does, or after a moment. */
async function settle(promise: Promise<unknown> | undefined): Promise<void> {
  if (!promise) return;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const stop = after(closeMs, resolve);
  await Promise.race([promise.catch(() => {}), over]);
  stop();
}

/** Hears the wire and the link of one peer. */
class Ears implements LinkPeer, WireTap {
  readonly #options: PeerOptions;
  /** The last response on the wire, before an era's adapter changed it. */
  reply: Uint8Array | undefined;
  http: HttpHead | undefined;

  constructor(options: PeerOptions) {
    this.#options = options;
  }

  opened(): void {
    // What a first child said before it was started again would stand there twice.
    this.#options.evidence.forget();
    this.#options.tap?.opened();
  }

  sent(...what: Parameters<WireTap["sent"]>): void {
    this.#options.tap?.sent(...what);
  }

  received(message: Uint8Array): void {
    this.#options.tap?.received(message);
    // A page may be large, and what it stands in is not kept.
    const scanned = scan(message);
    if (scanned.kind === "malformed") this.#options.evidence.strayed(scanned.message);
    if (scanned.kind === "message" && scanned.envelope.kind === "response") this.reply = message.slice();
  }

  answered(...what: Parameters<WireTap["answered"]>): void {
    const [status, headers] = what;
    this.http = { status, headers };
    this.#options.tap?.answered(...what);
  }

  notified(_link: Link, envelope: Envelope, _caller?: Caller): void {
    this.#options.notified?.(envelope.method ?? "", asRecord(spanValue(envelope, "params")));
  }

  asked(link: Link, envelope: Envelope): void {
    const id = spanBytes(envelope, "id");
    if (!id) return;
    const { asked } = this.#options;
    const method = envelope.method ?? "";
    const refuse = (error: unknown): void => link.send(errorMessage(id, asGatewayError(error)));
    if (!asked) return refuse(new GatewayError("clientUnable", `this client does not answer ${method}`));
    asked(method, asRecord(spanValue(envelope, "params"))).then(
      (result) => link.send(resultMessage(id, encodeJson(result))),
      refuse,
    );
  }

  strayed(_link: Link, what: string): void {
    this.#options.evidence.strayed(what);
  }

  ended(): void {}
}

export class Peer implements AsyncDisposable {
  readonly #link: Link;
  readonly #ears: Ears;
  readonly #options: PeerOptions;
  /** Start and handshake. */
  readonly openMs: number;
  #lastId = 0;

  constructor(link: Link, ears: Ears, options: PeerOptions, openMs: number) {
    this.#link = link;
    this.#ears = ears;
    this.#options = options;
    this.openMs = openMs;
  }

  get name(): string {
    return this.#options.target.name;
  }

  /** Capabilities as a legacy server declares them, whichever era it speaks. */
  get facts(): ServerFacts {
    const { facts } = this.#link;
    return facts ?? { protocolVersion: "", capabilities: {}, serverInfo: {}, instructions: undefined };
  }

  get era(): Era {
    return modernVersions.some((version) => version === this.facts.protocolVersion) ? "modern" : "legacy";
  }

  /** Sends one request; the server's own error is an answer, too. */
  async ask(method: string, params: unknown, patience: Patience, caller: Partial<Caller> = {}): Promise<Answer> {
    this.#lastId += 1;
    const request = scan(requestMessage(this.#lastId, method, params));
    if (request.kind !== "message") throw new GatewayError("internal", `${method} makes no message`);
    using scope = within(patience, this.#options.target.plan.callMs, (ms) => this.#late(method, ms));
    const own: Caller = {
      session: this,
      capabilities: this.#options.capabilities ?? {},
      deliver: (message) => this.#delivered(message),
      ...caller,
    };
    this.#ears.reply = undefined;
    const startedAt = performance.now();
    const seen = await this.#link.call(request.envelope, [], own, scope).catch((error: unknown) => {
      throw originOf(scope.cancelled ? scope.reason : error);
    });
    const ms = performance.now() - startedAt;
    const { http } = this.#ears;
    const bytes = this.#ears.reply ?? seen;
    const scanned = scan(bytes);
    if (scanned.kind !== "message") throw new GatewayError("badProtocol", `${method} was answered with no message`);
    return { bytes, envelope: scanned.envelope, ms, http };
  }

  /** Ends the conversation, and the child process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await settle(this.#link.close());
  }

  #delivered(message: Uint8Array): void {
    const scanned = scan(message);
    if (scanned.kind !== "message") return;
    this.#ears.notified(this.#link, scanned.envelope);
  }

  #late(method: string, ms: number): GatewayError {
    return new GatewayError("callTimeout", `no answer to ${method} within ${seconds(ms)}`, { backend: this.name });
  }
}

/** The error of an answer as the server said it; undefined for a result. */
export function answerError({ envelope }: Answer): { readonly code: number; readonly message: string } | undefined {
  if (!envelope.spans.error) return undefined;
  const { code, message } = asRecord(spanValue(envelope, "error"));
  return { code: typeof code === "number" ? code : 0, message: typeof message === "string" ? message : "" };
}
