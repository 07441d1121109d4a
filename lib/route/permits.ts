// Whether a call is allowed: by its name alone where that says it, and that is remembered, else by all that the policy asks.

import type { Envelope } from "../core/envelope.ts";
import type { ListingKind } from "../core/nouns.ts";
import type { Asked, Grants } from "../merge/grants.ts";
import type { View } from "../merge/names.ts";
import type { Consent } from "./consent.ts";
import type { Called, FreeCalls, Route } from "./free-calls.ts";
import type { Hub } from "./hub.ts";
import type { ActiveCall } from "./session.ts";
import type { Shelves } from "./shelves.ts";

export class Permits {
  readonly #hub: Hub;
  readonly #shelves: Shelves;
  /** Loaded with the first call that is looked at. */
  #consent: Promise<Consent> | undefined;
  /** Loaded with the first call that is not. */
  #loading: Promise<FreeCalls> | undefined;
  #free: FreeCalls | undefined;

  constructor(hub: Hub, shelves: Shelves) {
    this.#hub = hub;
    this.#shelves = shelves;
  }

  /** Where calls of a name go that was allowed before, and always is. */
  route(grants: Grants, kind: ListingKind, view: View, shown: string): Route | undefined {
    return this.#free?.route(grants, kind, view, shown);
  }

  /** Rejects with `denied` or `insufficientScope` where the policy, or the user, does not allow the call. */
  async require(request: Envelope, call: ActiveCall, called: Called): Promise<void> {
    const { view } = call.facts;
    const { grants } = view;
    call.flight.meant(called.backend, called.local);
    // To complete the arguments of a prompt is not to use it.
    if (!grants || request.method === "completion/complete") return;
    const asked = askedOf(called);
    if (called.kind !== "resources" && grants.isFree(asked)) {
      const rule = grants.ruleOf(asked);
      call.flight.decided("allow", rule);
      this.#loading ??= import("./free-calls.ts").then(({ FreeCalls }) => new FreeCalls(this.#hub, this.#shelves));
      this.#free ??= await this.#loading;
      return this.#free.remember(grants, call, called, rule);
    }
    this.#consent ??= import("./consent.ts").then((module) => new module.Consent(this.#hub.cluster));
    const consent = await this.#consent;
    await consent.require(grants, { asked, request, shown: called.shown }, call);
  }

  /** A name that nothing is shown under: whether it is the policy that hides it is noted. */
  hidden({ flight, facts }: ActiveCall, kind: ListingKind, backend: string, name: string): void {
    const { grants } = facts.view;
    if (!grants || !this.#hub.topology.has(backend)) return;
    const asked = { kind, backend, name };
    if (grants.shows(asked)) return;
    const { place } = grants.decide(asked, () => false);
    flight.decided("deny", place === undefined ? undefined : place + 1);
  }
}

/** Whether a method of an extension may be used at a backend. */
export function mayUse({ grants }: View, backend: string, method: string): boolean {
  return grants?.shows({ kind: "methods", backend, name: method }) !== false;
}

function askedOf({ kind, backend, local, tool }: Called): Asked {
  return { kind, backend, name: local, tool };
}
