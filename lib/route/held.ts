// Why a tool that is not listed cannot be called although its backend has it: the lock holds it back.

import { GatewayError } from "../core/errors.ts";
import { exposeName } from "../merge/names.ts";
import { placeOf } from "../merge/slab.ts";
import type { Hub } from "./hub.ts";
import type { Viewer } from "./session.ts";
import type { Shelves } from "./shelves.ts";

/** The refusal of a tool that the lock holds back; undefined for any other name. */
export function heldBack(hub: Hub, shelves: Shelves, viewer: Viewer, exposed: string): GatewayError | undefined {
  const { view } = viewer.facts;
  for (const backend of hub.backendsOf(view)) {
    const { name } = backend.plan;
    const slab = shelves.find(backend, hub.ownerOf(backend, viewer))?.get("tools")?.whole;
    for (const { tool, what } of (slab && hub.lock?.judge(slab).deviations) ?? []) {
      const isMeant = exposed === exposeName(view, name, tool) || (view.naming === "conflict" && exposed === tool);
      if (!slab || !isMeant || hub.filterOf(view)?.shows("tools", exposed) === false) continue;
      // What the policy hides is not there.
      if (view.grants?.showsRow("tools", slab, placeOf(slab.locals, tool)) === false) continue;
      const text = `the tool ${JSON.stringify(exposed)} is not as the lock has it: ${what}`;
      return new GatewayError("quarantined", text, { backend: name, data: { change: what } });
    }
  }
  return undefined;
}
