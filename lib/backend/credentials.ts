// The credentials of a backend's replicas; how each is come by is loaded where the config asks for it.

import type { HttpReplicaPlan, ReplicaPlan } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";
import type { Asker, Credential } from "./shown.ts";

/** The credentials of one backend, by replica and by whoever they are of: all links that share them ask once. */
export class Credentials {
  readonly #known = new WeakMap<ReplicaPlan, Map<string, Promise<Credential>>>();

  of(replica: HttpReplicaPlan, asker: Asker): Promise<Credential> | undefined {
    const { auth } = replica;
    if (!auth) return undefined;
    const key = auth.kind === "oauth" && !auth.shared ? asker.who : "";
    const all = this.#known.get(replica) ?? new Map<string, Promise<Credential>>();
    this.#known.set(replica, all);
    const known = all.get(key) ?? open(replica, asker);
    all.set(key, known);
    return known;
  }
}

async function open(replica: HttpReplicaPlan, asker: Asker): Promise<Credential> {
  const { auth } = replica;
  if (auth?.kind === "oauth") return (await import("./oauth-credential.ts")).openCredential(replica, asker);
  if (auth) return new (await import("./credential.ts")).TokenCredential(asker.backend, replica.url, auth);
  throw new GatewayError("internal", "this backend is shown nothing");
}
