// What a new plan means for clients: each sees what it shows them, or is gone. Loaded with the first reload.

import type { TopologyChange } from "./backend/registry.ts";
import type { Hub } from "./route/hub.ts";
import type { Router } from "./route/router.ts";

export function renewClients(hub: Hub, router: Router, { added, removed }: TopologyChange): void {
  for (const backend of removed) router.listings.forget(backend);
  // Links open before they ask: some only listen.
  hub.review((session) => router.prepare(session));
  if (removed.length > 0 || added.length > 0) router.listings.announceAll();
}
