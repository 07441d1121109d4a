// One call to one backend: the exposed name becomes backend and local name, which is spliced into the bytes.

import type { Backend } from "../backend/backend.ts";
import { localName } from "../backend/traits.ts";
import { type Edit, type Envelope, spanText, type SpanName } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { ListingKind } from "../core/nouns.ts";
import { Scope } from "../core/scope.ts";
import { encodeJson } from "../core/text.ts";
import { isShortened, splitName, type View } from "../merge/names.ts";
import { hasOwnMethods } from "../protocol/modern.ts";
import { mayUse, Permits } from "./permits.ts";
import { errorCode } from "./reply-code.ts";
import type { Listings } from "./fanout.ts";
import type { Route } from "./free-calls.ts";
import type { Hub } from "./hub.ts";
import type { ActiveCall, Viewer } from "./session.ts";
import { repeatedHeader, replaced, required } from "./spans.ts";

/** A backend that may have a resource, and the URI there. */
export interface Owner {
  readonly backend: Backend;
  readonly local: string;
  /** Nothing says that it has the resource. */
  readonly guessed?: boolean;
}

/** What an owner that may be asked is known to answer, so that it is not. */
export type KnownReply = (owner: Owner) => Uint8Array | undefined;

export interface OwnerReply {
  readonly reply: Uint8Array;
  readonly owner: Owner;
}

/** Where a call goes, and what changes in it. */
export interface Target {
  readonly backend: Backend;
  readonly edits: readonly Edit[];
}

const maxRoutes = 10_000;
const notFoundCode = -32002;

export class Forwarder {
  readonly #hub: Hub;
  readonly #listings: Listings;
  readonly permits: Permits;
  readonly #routes = new Map<string, Route>();
  #routesOf: unknown;

  constructor(hub: Hub, listings: Listings) {
    this.#hub = hub;
    this.#listings = listings;
    this.permits = new Permits(hub, listings.shelves);
  }

  /** Sends a request to a backend on the links of its session; resolves to the reply under the client's id. */
  async send(request: Envelope, call: ActiveCall, target: Target): Promise<Uint8Array> {
    // One call of a client may be several here, each with a time of its own.
    using own = new Scope(call.scope);
    return await this.#send(request, call, target, own);
  }

  #send(request: Envelope, call: ActiveCall, { backend, edits }: Target, scope: Scope): Promise<Uint8Array> {
    call.flight.backend = backend.plan.name;
    if (call.flight.kept) call.flight.meant(backend.plan.name, localName(request, edits) ?? "");
    const go = (): Promise<Uint8Array> =>
      backend.call(this.#hub.uplinkOf(backend, call.session), request, edits, call, scope);
    const { admission } = this.#hub;
    const charged = request.method === "tools/call" ? admission : undefined;
    const tariff = charged?.tariffOf(backend.plan.name, localName(request, edits) ?? "");
    const send = (): Promise<Uint8Array> => {
      const release = tariff && charged?.charge(call.principal, tariff);
      const sent = call.prepare ? call.prepare(backend).then(go) : go();
      return release ? sent.finally(release) : sent;
    };
    if (call.header(repeatedHeader) !== undefined) {
      const known = { hub: this.#hub, listings: this.#listings };
      const judged = import("./repeated.ts").then(({ requireRepeatable }) =>
        requireRepeatable(request, call, { backend, edits }, known),
      );
      return judged.then(send);
    }
    return tariff ? (charged?.readyFor(tariff)?.then(send) ?? send()) : send();
  }

  /** Where a tool or prompt is that the client knows by this name, where the name alone says it. */
  route(exposed: string, view: View, kind: ListingKind = "tools"): Route | undefined {
    if (view.grants) return this.permits.route(view.grants, kind, view, exposed);
    const known = view.backend === "" ? this.#routesNow().get(exposed) : undefined;
    // Where a name may be several things, or nothing, the listing decides.
    if (known || view.naming === "conflict" || isShortened(exposed)) return known;
    const split = splitName(view, exposed);
    const backend = split && this.#hub.backendIn(view, split.backend);
    if (!split || !backend || this.#hub.guards(view, backend, kind)) return undefined;
    const route = { backend, local: encodeJson(split.local), decision: "", rule: undefined } as const;
    // Tools and prompts share the routes: what guards tools alone keeps both out.
    const isGuarded = this.#hub.lock?.mode === "enforce" || this.#hub.rulesOf(backend) !== undefined;
    if (view.backend === "" && !isGuarded && this.#routes.size < maxRoutes) this.#routes.set(exposed, route);
    return route;
  }

  /** `tools/call` and `prompts/get`. */
  named(request: Envelope, call: ActiveCall, kind: ListingKind, span: SpanName = "params.name"): Promise<Uint8Array> {
    const exposed = required(request, span);
    this.#hub.flights.add(call.flight, request.method ?? "", exposed, call.facts.view.backend, request);
    const { finder } = this.#hub;
    if (finder?.has(exposed) === true && kind === "tools" && this.#hub.searches(call.facts.view)) {
      const ways = { catalog: this.#listings, forward: (inner: Envelope) => this.named(inner, call, kind) };
      return finder.answer(request, call, exposed, call.scope, ways);
    }
    const target = this.#byPrefix(exposed, call, kind, request, span);
    if (target) return this.#send(request, call, target, call.scope);
    return this.#byName(exposed, call, kind, request, span).then((found) => this.send(request, call, found));
  }

  /** `resources/read` and `resources/subscribe`: the owner by catalog, then by template, then whoever knows the URI. */
  async resource(request: Envelope, call: ActiveCall, known: KnownReply = () => undefined): Promise<OwnerReply> {
    const uri = required(request, "params.uri");
    this.#hub.flights.add(call.flight, request.method ?? "", uri, call.facts.view.backend);
    const owners = await this.#owners(uri, call);
    let refused: OwnerReply | undefined;
    let failure: unknown;
    for (const owner of owners) {
      const { backend, local } = owner;
      try {
        await this.permits.require(request, call, { kind: "resources", shown: uri, backend: backend.plan.name, local });
        const edits = replaced(request, "params.uri", uri, local);
        const reply = known(owner) ?? (await this.send(request, call, { backend, edits }));
        // Servers have several codes for a URI that they do not know: an error settles nothing while others may have it.
        const code = errorCode(reply);
        if (code === undefined || owners.length === 1) return { reply, owner };
        if (!refused || (code === notFoundCode && refused.owner.guessed)) refused = { reply, owner };
      } catch (error) {
        if (call.scope.cancelled || owners.length === 1) throw error;
        if (!owner.guessed) failure ??= error;
      }
    }
    // An owner that could not be asked says more than the refusal of one that was only asked on chance.
    if (failure !== undefined && (!refused || refused.owner.guessed)) throw failure;
    if (refused) return refused;
    throw new GatewayError("resourceNotFound", `no backend has the resource ${JSON.stringify(uri)}`, { data: { uri } });
  }

  /** `completion/complete`, by its reference. */
  async completion(request: Envelope, call: ActiveCall): Promise<Uint8Array> {
    const type = spanText(request, "params.ref.type");
    if (type === "ref/prompt") return this.named(request, call, "prompts", "params.ref.name");
    if (type !== "ref/resource")
      throw new GatewayError("invalidParams", "params.ref.type must be ref/prompt or ref/resource");
    const template = required(request, "params.ref.uri");
    const only = this.#onlyBackend(call);
    const isFree = only && !this.#hub.guards(call.facts.view, only, "resourceTemplates");
    if (isFree) return this.send(request, call, { backend: only, edits: [] });
    const { item } = await this.#listings.find(call, "resourceTemplates", template, call.scope);
    const backend = item && this.#hub.topology.get(item.backend);
    if (backend) return this.send(request, call, { backend, edits: [] });
    // A reference to a plain URI: the backend that has it.
    const [first] = await this.#owners(template, call);
    const unknown = `no backend has the resource template ${JSON.stringify(template)}`;
    if (!first) throw new GatewayError("invalidParams", unknown);
    const edits = replaced(request, "params.ref.uri", template, first.local);
    return this.send(request, call, { backend: first.backend, edits });
  }

  /** A method that the gateway does not know, of an extension perhaps: passed on where it is clear who is meant. */
  async unknown(request: Envelope, call: ActiveCall): Promise<Uint8Array> {
    const { view } = call.facts;
    const uri = spanText(request, "params.uri");
    const able = this.#extending(call, request.method ?? "");
    const [first, ...others] = able;
    const isClear = others.length === 0 && (uri === undefined || !this.#hub.addressed(view, uri));
    if (first && isClear) return this.send(request, call, { backend: first, edits: [] });
    if (first && uri !== undefined) return (await this.resource(request, call)).reply;
    const hint =
      first && `; it may be one of ${able.map(({ plan }) => plan.name).join(", ")}, each at its own endpoint`;
    throw new GatewayError("unknownMethod", `unknown method ${JSON.stringify(request.method)}${hint ?? ""}`);
  }

  /** Backends that may know methods of their own: the only one, or those that say so. */
  #extending({ facts: { view } }: Viewer, method: string): readonly Backend[] {
    const all = this.#hub.backendsOf(view).filter(({ plan }) => mayUse(view, plan.name, method));
    return all.length === 1
      ? all
      : all.filter(({ facts }) => facts && hasOwnMethods(facts.modern ?? facts.capabilities));
  }

  #onlyBackend({ facts }: Viewer): Backend | undefined {
    const [only, ...others] = this.#hub.backendsOf(facts.view);
    return others.length === 0 ? only : undefined;
  }

  /** Where the name alone says the backend. */
  #byPrefix(
    exposed: string,
    { facts, flight }: ActiveCall,
    kind: ListingKind,
    request: Envelope,
    span: SpanName,
  ): Target | undefined {
    const place = request.spans[span];
    const route = place && this.route(exposed, facts.view, kind);
    if (route) flight.decided(route.decision, route.rule);
    return route && { backend: route.backend, edits: [{ span: place, bytes: route.local }] };
  }

  /** What names were found to mean in the topology that is live now. */
  #routesNow(): Map<string, Route> {
    const { topology } = this.#hub;
    if (this.#routesOf !== topology) this.#routes.clear();
    this.#routesOf = topology;
    return this.#routes;
  }

  async #byName(
    exposed: string,
    call: ActiveCall,
    kind: ListingKind,
    request: Envelope,
    span: SpanName,
  ): Promise<Target> {
    const { view } = call.facts;
    const split = splitName(view, exposed);
    const direct = split && this.#hub.backendIn(view, split.backend);
    const isFree = (backend: Backend): boolean => !this.#hub.guards(view, backend, kind);
    const edits = split ? replaced(request, span, exposed, split.local) : [];
    const asSplit = direct && isFree(direct) && { backend: direct, edits };
    const only = this.#onlyBackend(call);
    if (only && view.naming === "none" && isFree(only)) return { backend: only, edits: [] };
    // Shortened names and `naming: none` are known by the catalog alone.
    const { item, partial, index } = await this.#listings.find(call, kind, exposed, call.scope);
    const backend = item && this.#hub.topology.get(item.backend);
    for (const { backend: other, local, owner } of index.collisions)
      if (local === exposed) call.noted(`backend "${other}" has it too; "${owner}" comes before it`);
    if (item) call.noted(`by the catalog it is "${item.local}" of backend "${item.backend}"`);
    // A tool's own name may look like a shortened one.
    if (asSplit && !item) return asSplit;
    if (item && backend) {
      await this.permits.require(request, call, { kind, shown: exposed, ...item, tool: index.itemOf(exposed) });
      return { backend, edits: replaced(request, span, exposed, item.local) };
    }
    if (kind === "tools" && this.#hub.lock?.mode === "enforce") {
      const { heldBack } = await import("./held.ts");
      const refusal = heldBack(this.#hub, this.#listings.shelves, call, exposed);
      if (refusal) throw refusal;
    }
    this.permits.hidden(call, kind, split?.backend ?? view.backend, split?.local ?? exposed);
    const missing = partial.map(({ backend }) => backend);
    const shown = this.#hub.backendsOf(view).map(({ plan }) => plan.name);
    call.noted(`no backend of this endpoint lists it: ${shown.join(", ") || "there is none"}`, true);
    if (direct && !isFree(direct))
      call.noted(`the config decides which ${kind} of backend "${direct.plan.name}" are shown here`);
    for (const { backend: each, message } of partial) call.noted(`backend "${each}" may have it: ${message}`);
    const hint = missing.length > 0 ? `; not every backend could be asked: ${missing.join(", ")}` : "";
    throw new GatewayError("invalidParams", `unknown ${kind.slice(0, -1)} ${JSON.stringify(exposed)}${hint}`, {
      data: { missing },
    });
  }

  /** Backends that may be asked for a URI: what is hidden there is nowhere. */
  async #owners(uri: string, call: ActiveCall): Promise<readonly Owner[]> {
    const { view } = call.facts;
    const owners = await this.#candidates(uri, call);
    return owners.filter(({ backend, local }) => this.#hub.admits(view, backend, uri, local));
  }

  async #candidates(uri: string, call: ActiveCall): Promise<readonly Owner[]> {
    const { facts, scope } = call;
    const { view } = facts;
    const addressed = this.#hub.addressed(view, uri);
    if (addressed) return [addressed];
    const only = this.#onlyBackend(call);
    if (only) return [{ backend: only, local: uri }];
    const { item } = await this.#listings.find(call, "resources", uri, scope);
    const listed = item && this.#hub.topology.get(item.backend);
    if (item && listed) return [{ backend: listed, local: item.local }];
    const { index } = await this.#listings.merged(call, "resourceTemplates", scope);
    const names = new Set(index.matching(uri).map((template) => template.backend));
    const known = [...names]
      .flatMap((name) => this.#hub.topology.get(name) ?? [])
      .map((backend) => ({ backend, local: uri }));
    // A link in a result may name a resource that no listing shows.
    const rest = this.#hub.backendsOf(view).filter(({ plan, facts, state }) => {
      return !names.has(plan.name) && facts?.capabilities["resources"] !== undefined && state.kind === "up";
    });
    return [...known, ...rest.map((backend) => ({ backend, local: uri, guessed: true }))];
  }
}
