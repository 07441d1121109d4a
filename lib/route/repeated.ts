// Requests that a balancer sends again, as the process of the gateway that had them is gone: which of them may run here.

import type { Backend } from "../backend/backend.ts";
import { mayRunTwice } from "../backend/traits.ts";
import { type Edit, type Envelope, spanText } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { Listings } from "./fanout.ts";
import type { Hub } from "./hub.ts";
import type { ActiveCall } from "./session.ts";

/** Rejects where the other process may have had the request executed, and a second time would be one too many. */
export async function requireRepeatable(
  request: Envelope,
  call: ActiveCall,
  target: { readonly backend: Backend; readonly edits: readonly Edit[] },
  { hub, listings }: { readonly hub: Hub; readonly listings: Listings },
): Promise<void> {
  const { backend, edits } = target;
  const { name } = backend.plan;
  const exposed = request.method === "tools/call" ? spanText(request, "params.name") : undefined;
  const look = async (): Promise<Uint8Array | undefined> => {
    if (exposed === undefined) return undefined;
    const { item, index } = await listings.find(call, "tools", exposed, call.scope);
    return item?.backend === name ? index.itemOf(exposed) : undefined;
  };
  // What the tool says of itself may not have been read here yet, as this process has only just begun.
  let tool = await look();
  if (exposed !== undefined && !tool) {
    await hub
      .uplinkOf(backend, call.session)
      .acquire(call.scope)
      .catch(() => {});
    tool = await look();
  }
  const words = { listed: () => tool, isDeclared: backend.policies.isDeclared };
  if (mayRunTwice(request, edits, words))
    return call.noted("the balancer sent it again: the process that had it is gone");
  const text = `the process of the gateway that had this call of backend "${name}" is gone`;
  throw new GatewayError("lost", text, { backend: name, data: { sent: true, class: "unknown" } });
}
