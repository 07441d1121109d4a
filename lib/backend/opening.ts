// Puts a wire under a new link, in the era that the backend speaks: as the config says it, as it was found, or as asked now.

import type { BackendPlan, ReplicaPlan } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";
import type { Scope } from "../core/scope.ts";
import { legacyServerCapabilities, modernClientCapabilities } from "../protocol/bridge-capabilities.ts";
import type { ClientFacts, ServerFacts } from "../protocol/codec.ts";
import { legacyCodec } from "../protocol/legacy.ts";
import type { Discovered } from "../protocol/modern-discover.ts";
import { modernVersions } from "../protocol/modern-meta.ts";
import type { Eras } from "./eras.ts";
import type { Link } from "./link.ts";
import { EraProbe } from "./modern-probe.ts";
import type { Transport, TransportEvents } from "./transport.ts";

export interface Opening {
  readonly plan: BackendPlan;
  readonly replica: ReplicaPlan;
  readonly client: ClientFacts;
  readonly eras: Eras | undefined;
  /** Something that the operator should know. */
  readonly warn: (what: string) => void;
  /** Makes the wire; a child process is started by it. */
  readonly connect: (events: TransportEvents) => Promise<Transport> | Transport;
}

export type Opened =
  | { readonly kind: "modern"; readonly facts: ServerFacts }
  /** The legacy handshake comes next; `late` resolves where the server, silent until then, turns out to be modern. */
  | { readonly kind: "legacy"; readonly late?: Promise<ServerFacts> };

/** A child that does not answer a request before initialize is asked for that meanwhile: it may only be slow to start. */
const childPatienceMs = 1_500;
const serverPatienceMs = 5_000;

export async function openWire(opening: Opening, link: Link, scope: Scope): Promise<Opened> {
  const { plan, replica, eras, connect } = opening;
  const wanted = eraOf(plan);
  // A transport of the legacy era alone.
  const isSse = replica.kind === "http" && replica.transport === "sse";
  if (isSse && wanted === "modern") throw neverModern(plan);
  if (isSse || wanted === "legacy" || (wanted === "auto" && eras?.of(replica) === "legacy")) {
    link.attach(await connect(link));
    return { kind: "legacy" };
  }
  const probe = new EraProbe();
  const wire = await connect(probe);
  // From now on closing the link closes the wire.
  link.attach(wire);
  const mustBeModern = wanted === "modern" || eras?.of(replica) === "modern";
  const verdict = await probe.run(wire, { ...clientOf(opening), patienceMs: patienceOf(opening, mustBeModern) }, scope);
  const adopt = (discovered: Discovered): Promise<ServerFacts> => becomeModern(opening, link, wire, probe, discovered);
  switch (verdict.kind) {
    case "modern":
      return { kind: "modern", facts: await adopt(verdict.discovered) };
    case "disjoint":
    case "refused":
      throw refusedProbe(plan, verdict);
    case "silent":
    case "again":
    case "unknown":
    case "legacy":
      break;
  }
  if (probe.unreached && replica.kind === "http") throw probe.unreached;
  if (wanted === "modern") throw notModern(plan);
  if (verdict.kind === "legacy") eras?.note(replica, "legacy");
  else eras?.forget(replica);
  if (probe.isClosed && replica.kind === "stdio") {
    // Some servers exit on a request before initialize; another child is started for that.
    link.attach(await connect(link));
    return { kind: "legacy" };
  }
  probe.handOver(link);
  return { kind: "legacy", late: probe.late.then(adopt) };
}

/** Until the transport is there, the probe keeps what comes. */
async function becomeModern(
  { plan, replica, client, eras, warn }: Opening,
  link: Link,
  wire: Transport,
  probe: EraProbe,
  { facts }: Discovered,
): Promise<ServerFacts> {
  const { ModernTransport } = await import("./modern.ts");
  const { capabilities, protocolVersion: version } = facts;
  const changed = (): void => eras?.forget(replica);
  const keepsReads = plan.resilience?.cache !== undefined;
  const modern = { backend: plan.name, version, kind: replica.kind, capabilities, client, keepsReads, warn };
  const transport = new ModernTransport(wire, link, modern, changed);
  link.attach(transport);
  probe.handOver(transport);
  eras?.note(replica, "modern");
  return { ...facts, capabilities: legacyServerCapabilities(capabilities), modern: capabilities };
}

function clientOf({ client, replica }: Opening): { client: ClientFacts; kind: ReplicaPlan["kind"] } {
  return { client: { ...client, capabilities: modernClientCapabilities(client.capabilities) }, kind: replica.kind };
}

/** One that must be modern has all the time that the handshake has. */
function patienceOf({ plan, replica }: Opening, mustBeModern: boolean): number {
  if (mustBeModern) return Infinity;
  return Math.min(replica.kind === "stdio" ? childPatienceMs : serverPatienceMs, plan.connectMs / 3);
}

/** The revision that initialize must end with; undefined where any will do. */
export function pinnedRevision({ protocol }: BackendPlan): string | undefined {
  return legacyCodec.versions.find((version) => version === protocol);
}

function eraOf(plan: BackendPlan): "auto" | "legacy" | "modern" {
  const { protocol = "auto" } = plan;
  if (protocol === "auto" || protocol === "legacy" || protocol === "modern") return protocol;
  if (pinnedRevision(plan) !== undefined) return "legacy";
  if (modernVersions.some((version) => version === protocol)) return "modern";
  const spoken = [...modernVersions, ...legacyCodec.versions].join(", ");
  const text = `backend "${plan.name}" is to be spoken to in protocol ${protocol}; this gateway speaks ${spoken}`;
  throw new GatewayError("unsupportedVersion", text, { backend: plan.name, data: { sent: false } });
}

function neverModern({ name, protocol }: BackendPlan): GatewayError {
  const text = `backend "${name}" is to be reached over HTTP+SSE, which no server of protocol ${protocol} speaks; leave out its transport or its protocol`;
  return new GatewayError("badProtocol", text, { backend: name, data: { sent: false } });
}

function notModern({ name }: BackendPlan): GatewayError {
  const text = `backend "${name}" did not answer server/discover as a modern server does; protocol: auto would ask it for initialize`;
  return new GatewayError("badProtocol", text, { backend: name, data: { sent: false } });
}

function refusedProbe(
  { name }: BackendPlan,
  verdict:
    | { readonly kind: "disjoint"; readonly supported: readonly string[] }
    | { readonly kind: "refused"; readonly code: number; readonly message: string },
): GatewayError {
  const why =
    verdict.kind === "disjoint"
      ? `offers the protocol versions ${verdict.supported.join(", ").slice(0, 200)}, none of which this gateway speaks`
      : `answered server/discover with error ${verdict.code}: ${verdict.message.slice(0, 500)}`;
  return new GatewayError("badProtocol", `backend "${name}" ${why}`, { backend: name, data: { sent: false } });
}
