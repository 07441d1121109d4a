// The backends of a running gateway: made as the plan says, with the router above them, and what the log says of them.

import { Backend, type BackendOptions } from "./backend/backend.ts";
import type { BackendPlan, Plan } from "./config/plan.ts";
import type { Observer } from "./core/observer.ts";
import type { Faults } from "./ops/faults.ts";
import { legacyCodec, sharedClientCapabilities } from "./protocol/legacy.ts";
import type { Meter } from "./observe/meter.ts";
import type { Router } from "./route/router.ts";
import type { SignIn } from "./sign-in.ts";

export interface Surroundings {
  readonly version: string;
  readonly observer: Observer;
  readonly faults?: Faults | undefined;
  readonly router: Router;
  /** Undefined where nothing is counted. */
  readonly meter: Meter | undefined;
  readonly signIn?: SignIn | undefined;
}

/** Starts connecting at once. */
export function createBackend(
  plan: BackendPlan,
  { limits, zone }: Plan,
  { version, observer, faults, router, meter, signIn }: Surroundings,
): Backend {
  const source = `backend ${plan.name}`;
  const options: BackendOptions = {
    plan,
    client: { name: "mcpctl", version, capabilities: sharedClientCapabilities },
    codec: legacyCodec,
    maxMessageBytes: limits.messageBytes,
    peer: router,
    observer,
    meter: meter?.backend(plan.name),
    zone,
    signIn,
    bend: faults?.benderOf(plan.name),
    listed: (backend, owner, tool) => router.listings.shelves.tool(backend, owner, tool),
  };
  const isMany = plan.replicas.length > 1;
  const backend = new Backend(options, {
    up: (backend, link, replica, isLead) => {
      const which = isMany ? `: replica ${replica.index}, ${replica.label}` : "";
      observer.log("info", source, `is up (${link.facts?.protocolVersion ?? "?"})${which}`);
      router.connected(backend, link, isLead);
    },
    leads: (backend, link) => router.connected(backend, link, true),
    down: (backend, _owner, error, failures, replica) => {
      router.disconnected(backend);
      backend.policies.tally.losses += 1;
      // The source names it already.
      const why = error.message.replace(`backend "${plan.name}"`, "").replace(/^:?\s+/, "");
      const which = isMany ? `: replica ${replica.index}` : "";
      observer.log(failures > 1 ? "debug" : "warn", source, `is down${which}: ${why}`);
    },
  });
  const cluster = router.cluster;
  if (cluster) backend.policies.told = (replica, until) => cluster.closed(plan.name, replica, until);
  return backend;
}
