// Whether a call is allowed: by its name alone where that says it, and that is remembered, else by all that the policy asks.

import type { Backend } from "../backend/backend.ts";
import type { Envelope } from "../core/envelope.ts";
import type { Verdict } from "../core/flight.ts";
import type { ListingKind } from "../core/nouns.ts";
import { encodeJson } from "../core/text.ts";
import type { Asked, Grants } from "../merge/grants.ts";
import type { View } from "../merge/names.ts";
import type { Consent } from "./consent.ts";
import type { Hub } from "./hub.ts";
import type { ActiveCall } from "./session.ts";

/** What an exposed name means; `local` as JSON. */
export interface Route {
  readonly backend: Backend;
  readonly local: Uint8Array;
  readonly decision: Verdict;
  /** Of the policy that allows it, from 1; undefined where none says so. */
  readonly rule: number | undefined;
}

/** What is called: an item that may be seen. */
export interface Called {
  readonly kind: ListingKind;
  /** Its name for the client. */
  readonly shown: string;
  readonly backend: string;
  /** Its name at the backend. */
  readonly local: string;
  /** The definition of a tool. */
  readonly tool?: Uint8Array | undefined;
}

/** Names come from clients. */
const maxRoutes = 10_000;

export class Permits {
  readonly #hub: Hub;
  /** Loaded with the first call that is looked at. */
  #consent: Promise<Consent> | undefined;
  /** Where every call of a name goes that is allowed whatever its arguments are. */
  readonly #routes = new WeakMap<Grants, Map<string, Route>>();

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** Where calls of a name go that was allowed before, and always is. */
  route(grants: Grants, kind: ListingKind, { backend }: View, shown: string): Route | undefined {
    return this.#routes.get(grants)?.get(`${kind} ${backend} ${shown}`);
  }

  /** Rejects with `denied` or `insufficientScope` where the policy, or the user, does not allow the call. */
  async require(request: Envelope, call: ActiveCall, called: Called): Promise<void> {
    const { view } = call.session.facts;
    const { grants } = view;
    call.flight.meant(called.backend, called.local);
    // To complete the arguments of a prompt is not to use it.
    if (!grants || request.method === "completion/complete") return;
    const asked = askedOf(called);
    if (called.kind !== "resources" && grants.isFree(asked)) {
      const rule = grants.ruleOf(asked);
      call.flight.decided("allow", rule);
      return this.#remember(grants, view, called, rule);
    }
    this.#consent ??= import("./consent.ts").then((module) => new module.Consent(this.#hub.cluster));
    const consent = await this.#consent;
    await consent.require(grants, { asked, request, shown: called.shown }, call);
  }

  /** A name that nothing is shown under: whether it is the policy that hides it is noted. */
  hidden({ flight, session }: ActiveCall, kind: ListingKind, backend: string, name: string): void {
    const { grants } = session.facts.view;
    if (!grants || !this.#hub.topology.has(backend)) return;
    const asked = { kind, backend, name };
    if (grants.shows(asked)) return;
    const { place } = grants.decide(asked, () => false);
    flight.decided("deny", place === undefined ? undefined : place + 1);
  }

  #remember(grants: Grants, view: View, { kind, shown, backend: name, local }: Called, rule: number | undefined): void {
    const backend = this.#hub.topology.get(name);
    const routes = this.#routes.get(grants) ?? new Map<string, Route>();
    this.#routes.set(grants, routes);
    if (backend && routes.size < maxRoutes)
      routes.set(`${kind} ${view.backend} ${shown}`, { backend, local: encodeJson(local), decision: "allow", rule });
  }
}

/** Whether a method of an extension may be used at a backend. */
export function mayUse({ grants }: View, backend: string, method: string): boolean {
  return grants?.shows({ kind: "methods", backend, name: method }) !== false;
}

function askedOf({ kind, backend, local, tool }: Called): Asked {
  return { kind, backend, name: local, tool };
}
