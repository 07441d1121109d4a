// The answers to initialize and server/discover: given at once from what is known of the backends, whether they are up or not.

import { type Envelope, spanValue } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { Flight } from "../core/flight.ts";
import { asRecord, encodeJson, isRecord } from "../core/text.ts";
import type { View } from "../merge/names.ts";
import { modernServerCapabilities } from "../protocol/bridge-capabilities.ts";
import type { EraCodec, ServerFacts } from "../protocol/codec.ts";
import { legacyCodec } from "../protocol/legacy.ts";
import { noCache } from "../protocol/modern-cache.ts";
import { discoverResult } from "../protocol/modern-discover.ts";
import { offeredVersions } from "../protocol/modern-request.ts";
import type { Hub } from "./hub.ts";
import type { SessionFacts } from "./session.ts";

export interface ServerIdentity {
  readonly name: string;
  readonly version: string;
}

/** What a client's initialize says of it; throws `invalidParams` where it says too little. */
export function readInitialize(
  request: Envelope,
  codec: EraCodec,
  view: View,
  principal: string,
): Omit<SessionFacts, "key"> {
  const params = asRecord(spanValue(request, "params"));
  const { protocolVersion, capabilities, clientInfo } = params;
  if (typeof protocolVersion !== "string") {
    throw new GatewayError("invalidParams", "initialize needs a string in params.protocolVersion");
  }
  if (capabilities !== undefined && !isRecord(capabilities)) {
    throw new GatewayError("invalidParams", "params.capabilities of initialize must be an object");
  }
  const { name } = asRecord(clientInfo);
  return {
    principal,
    version: codec.negotiate(protocolVersion),
    capabilities: asRecord(capabilities),
    client: typeof name === "string" ? name.slice(0, 100) : "",
    view,
    era: codec.era,
  };
}

/** The result of initialize for a view. */
export function greet(hub: Hub, view: View, version: string, identity: ServerIdentity): Uint8Array {
  const flight = new Flight("");
  flight.method = legacyCodec.openMethod;
  const result = encodeJson({
    protocolVersion: version,
    capabilities: legacyCapabilities(hub, view),
    serverInfo: infoOf(view, identity),
    ...instructionsOf(hub, view),
  });
  hub.meter?.ended(flight, "");
  return result;
}

/** The result of server/discover for a view. */
export function discover(hub: Hub, view: View, identity: ServerIdentity): Uint8Array {
  const { instructions } = instructionsOf(hub, view);
  return discoverResult({
    supported: offeredVersions,
    capabilities: modernCapabilities(hub, view),
    serverInfo: infoOf(view, identity),
    instructions,
    cache: noCache,
  });
}

/** What a view offers to modern clients. */
export function modernCapabilities(hub: Hub, view: View): Readonly<Record<string, unknown>> {
  return mergeCapabilities(hub, view, (facts) => facts.modern ?? modernServerCapabilities(facts.capabilities));
}

/** What a view offers to legacy clients. */
export function legacyCapabilities(hub: Hub, view: View): Readonly<Record<string, unknown>> {
  return mergeCapabilities(hub, view, ({ capabilities }) => capabilities);
}

/** How the gateway names itself. */
export function infoOf(view: View, { name, version }: ServerIdentity): Readonly<Record<string, unknown>> {
  return { name, title: view.backend === "" ? "mcpctl gateway" : view.backend, version };
}

/** Everything, for a backend that was never up: it may turn out to have it, and clients ask only for what is declared. */
const unknownCapabilities = { tools: {}, prompts: {}, resources: { subscribe: true }, completions: {}, logging: {} };

function mergeCapabilities(
  hub: Hub,
  view: View,
  read: (facts: ServerFacts) => Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const all: unknown[] = hub.backendsOf(view).map(({ facts }) => (facts ? read(facts) : unknownCapabilities));
  const merged: Record<string, unknown> = { ...asRecord(all.reduce(union, {})) };
  // The gateway itself tells of changes: its own set changes when a backend comes, goes or is configured.
  for (const name of ["tools", "prompts", "resources"]) {
    if (name === "tools" || merged[name] !== undefined) merged[name] = { ...asRecord(merged[name]), listChanged: true };
  }
  return merged;
}

/** What either declares; a flag that one backend lacks is no less true of the other. */
function union(known: unknown, more: unknown): unknown {
  if (known === undefined || known === false) return more ?? known;
  if (!isRecord(known) || !isRecord(more)) return known;
  const merged: [string, unknown][] = Object.entries(known);
  for (const [name, value] of Object.entries(more)) merged.push([name, union(ownOf(known, name), value)]);
  // Not by assignment: a backend chooses these names, and one of them could be __proto__.
  return Object.fromEntries(merged);
}

function ownOf(record: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function instructionsOf(hub: Hub, view: View): { readonly instructions?: string } {
  const parts = hub.backendsOf(view).flatMap(({ plan, facts }) => {
    const text = facts?.instructions?.trim();
    return text ? [view.backend === "" ? `# ${plan.name}\n\n${text}` : text] : [];
  });
  return parts.length > 0 ? { instructions: parts.join("\n\n") } : {};
}
