// One call to one backend: the exposed name becomes backend and local name, which is spliced into the bytes.

import type { Backend } from "../backend/backend.ts";
import { type Edit, type Envelope, spanText, type SpanName } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { ListingKind } from "../core/nouns.ts";
import { asRecord, decodeText, encodeJson } from "../core/text.ts";
import { splitName } from "../merge/names.ts";
import type { Listings } from "./fanout.ts";
import type { Hub } from "./hub.ts";
import type { ActiveCall, Session } from "./session.ts";

/** Where a call goes, and what changes in it. */
export interface Target {
  readonly backend: Backend;
  readonly edits: readonly Edit[];
}

const notFoundCode = -32002;
const elicitationRequiredCode = -32042;
const maxTasks = 10_000;

export class Forwarder {
  readonly #hub: Hub;
  readonly #listings: Listings;

  constructor(hub: Hub, listings: Listings) {
    this.#hub = hub;
    this.#listings = listings;
  }

  /** Sends a request to a backend on the links of its session; resolves to the reply under the client's id. */
  async send(request: Envelope, call: ActiveCall, { backend, edits }: Target): Promise<Uint8Array> {
    const { session } = call;
    const uplink = this.#hub.uplinkOf(backend, session);
    const reply = await backend.call(uplink, request, edits, call, call.scope);
    return reply;
  }

  /** `tools/call` and `prompts/get`. */
  async named(request: Envelope, call: ActiveCall, kind: ListingKind, span: SpanName = "params.name"): Promise<Uint8Array> {
    const exposed = required(request, span);
    const target = await this.#byName(exposed, call, kind, request, span);
    const reply = await this.send(request, call, target);
    if (request.spans["params.task"]) noteTask(call.session, reply, target.backend.plan.name);
    noteElicitations(call.session, reply);
    return reply;
  }

  /** `resources/read` and `resources/subscribe`: the owner by catalog, then by template, then whoever knows the URI. */
  async resource(request: Envelope, call: ActiveCall): Promise<{ readonly reply: Uint8Array; readonly backend: Backend; readonly local: string }> {
    const uri = required(request, "params.uri");
    const candidates = await this.#owners(uri, call);
    let last: { readonly reply: Uint8Array; readonly backend: Backend; readonly local: string } | undefined;
    for (const { backend, local } of candidates) {
      const edits = replaced(request, "params.uri", uri, local);
      const reply = await this.send(request, call, { backend, edits });
      last = { reply, backend, local };
      if (!isNotFound(reply)) break;
    }
    if (last) return last;
    throw new GatewayError("resourceNotFound", `no backend has the resource ${JSON.stringify(uri)}`, { data: { uri } });
  }

  /** `completion/complete`, by its reference. */
  async completion(request: Envelope, call: ActiveCall): Promise<Uint8Array> {
    const type = spanText(request, "params.ref.type");
    if (type === "ref/prompt") return this.named(request, call, "prompts", "params.ref.name");
    if (type !== "ref/resource") throw new GatewayError("invalidParams", "params.ref.type must be ref/prompt or ref/resource");
    const template = required(request, "params.ref.uri");
    const { index } = await this.#listings.merged(call.session, "resourceTemplates", call.scope);
    const owner = index.find(template)?.backend;
    const backend = owner === undefined ? undefined : this.#hub.topology.get(owner);
    if (backend) return this.send(request, call, { backend, edits: [] });
    const { reply } = await this.resourceLike(request, call, template);
    return reply;
  }

  /** A reference to a plain URI: the backend that has it. */
  async resourceLike(request: Envelope, call: ActiveCall, uri: string): Promise<{ readonly reply: Uint8Array }> {
    const [first] = await this.#owners(uri, call);
    if (!first) throw new GatewayError("invalidParams", `no backend has the resource template ${JSON.stringify(uri)}`);
    const edits = replaced(request, "params.ref.uri", uri, first.local);
    return { reply: await this.send(request, call, { backend: first.backend, edits }) };
  }

  /** A method that the gateway does not know: passed on where there is just one backend to mean. */
  async unknown(request: Envelope, call: ActiveCall): Promise<Uint8Array> {
    const { view } = call.session.facts;
    const [only, ...others] = this.#hub.backendsOf(view);
    if (only && (view.backend !== "" || others.length === 0)) return this.send(request, call, { backend: only, edits: [] });
    throw new GatewayError("unknownMethod", `unknown method ${JSON.stringify(request.method)}`);
  }

  async #byName(exposed: string, call: ActiveCall, kind: ListingKind, request: Envelope, span: SpanName): Promise<Target> {
    const { session, scope } = call;
    const { view } = session.facts;
    const split = splitName(view, exposed);
    const direct = split && this.#hub.backendIn(view, split.backend);
    if (split && direct) return { backend: direct, edits: replaced(request, span, exposed, split.local) };
    const [only, ...others] = this.#hub.backendsOf(view);
    if (only && others.length === 0 && view.naming === "none") return { backend: only, edits: [] };
    // Shortened names and `naming: none` are known by the catalog alone.
    const { index, partial } = await this.#listings.merged(session, kind, scope);
    const item = index.find(exposed);
    const backend = item && this.#hub.topology.get(item.backend);
    if (item && backend) return { backend, edits: replaced(request, span, exposed, item.local) };
    const missing = partial.map((shortfall) => shortfall.backend);
    const what = kind === "prompts" ? "prompt" : "tool";
    const hint = missing.length > 0 ? `; not every backend could be asked: ${missing.join(", ")}` : "";
    throw new GatewayError("invalidParams", `unknown ${what} ${JSON.stringify(exposed)}${hint}`, { data: { missing } });
  }

  async #owners(uri: string, { session, scope }: ActiveCall): Promise<readonly { readonly backend: Backend; readonly local: string }[]> {
    const { view } = session.facts;
    const addressed = this.#hub.addressed(view, uri);
    if (addressed) return [addressed];
    const all = this.#hub.backendsOf(view);
    const [only, ...others] = all;
    if (only && others.length === 0) return [{ backend: only, local: uri }];
    const [resources, templates] = await Promise.all([
      this.#listings.merged(session, "resources", scope),
      this.#listings.merged(session, "resourceTemplates", scope),
    ]);
    const names = new Set<string>();
    const listed = resources.index.find(uri);
    if (listed) names.add(listed.backend);
    else {
      for (const item of templates.index.matching(uri)) names.add(item.backend);
      // A link in a result may name a resource that no listing shows.
      for (const { plan, facts, state } of all) if (facts?.capabilities["resources"] !== undefined && state.kind === "up") names.add(plan.name);
    }
    return [...names].flatMap((name) => {
      const backend = this.#hub.topology.get(name);
      return backend ? [{ backend, local: uri }] : [];
    });
  }
}

/** The text of a parameter without which a call cannot be routed. */
function required(request: Envelope, span: SpanName): string {
  const text = spanText(request, span);
  if (text === undefined) throw new GatewayError("invalidParams", `${request.method ?? "the request"} needs a string in ${span}`);
  return text;
}

function replaced(request: Envelope, name: SpanName, exposed: string, local: string): readonly Edit[] {
  const span = request.spans[name];
  return span && exposed !== local ? [{ span, bytes: encodeJson(local) }] : [];
}

function parsed(reply: Uint8Array): Readonly<Record<string, unknown>> {
  return asRecord(JSON.parse(decodeText(reply)));
}

/** Only a small reply is looked into: an error is small, a result need not be. */
const maxErrorBytes = 64 * 1024;

function errorOf(reply: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  if (reply.length > maxErrorBytes) return undefined;
  const { error } = parsed(reply);
  return error === undefined ? undefined : asRecord(error);
}

function isNotFound(reply: Uint8Array): boolean {
  return errorOf(reply)?.["code"] === notFoundCode;
}

/** Remembers which backend a task belongs to. */
function noteTask(session: Session, reply: Uint8Array, backend: string): void {
  if (reply.length > maxErrorBytes) return;
  const id = asRecord(asRecord(parsed(reply)["result"])["task"])["taskId"];
  if (typeof id !== "string") return;
  session.tasks.set(id, backend);
  const [oldest] = session.tasks.keys();
  if (session.tasks.size > maxTasks && oldest !== undefined) session.tasks.delete(oldest);
}

/** Remembers which elicitations by URL this client was sent to; their completion goes to nobody else. */
function noteElicitations(session: Session, reply: Uint8Array): void {
  const marker = Buffer.from(reply.buffer, reply.byteOffset, Math.min(reply.length, maxErrorBytes));
  if (reply.length > maxErrorBytes || !marker.includes(String(elicitationRequiredCode))) return;
  const error = errorOf(reply);
  const { elicitations } = asRecord(error?.["data"]);
  if (error?.["code"] !== elicitationRequiredCode || !Array.isArray(elicitations)) return;
  for (const elicitation of elicitations) session.expectElicitation(asRecord(elicitation)["elicitationId"]);
}

