// What a new plan means for clients: each sees what it shows them, or is gone. Loaded with the first reload.

import type { TopologyChange } from "./backend/registry.ts";
import type { Plan } from "./config/plan.ts";
import { local } from "./core/principal.ts";
import { comparePlans } from "./front/footing.ts";
import type { Tenures } from "./front/tenure.ts";
import type { Hub } from "./route/hub.ts";
import type { Router } from "./route/router.ts";

export interface Clients {
  readonly hub: Hub;
  readonly router: Router;
  /** Undefined where nobody has listened yet. */
  readonly tenures: Tenures | undefined;
}

/** The new plan is in place. */
export function renewClients({ hub, router, tenures }: Clients, before: Plan, change: TopologyChange): void {
  const { added, removed } = change;
  const isGood = comparePlans(before, hub.plan);
  tenures?.review(isGood);
  // What stands for the streams of modern clients.
  for (const session of [...hub.sessions.all()])
    if (session.facts.key === "" && session.who !== local && !isGood(session.who)) hub.sessions.end(session);
  for (const backend of removed) router.listings.forget(backend);
  // Links open before they ask: some only listen.
  hub.review((session) => router.prepare(session));
  if (removed.length > 0 || added.length > 0) router.listings.announceAll();
}
