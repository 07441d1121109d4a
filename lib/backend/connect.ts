// Opens a link to one replica: the wire, then the handshake of its era.

import type { BackendPlan, ReplicaPlan } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";
import type { SendMeter } from "../core/meter.ts";
import type { Observer } from "../core/observer.ts";
import { notificationMessage } from "../core/rpc.ts";
import { Scope } from "../core/scope.ts";
import { asRecord, decodeText } from "../core/text.ts";
import type { ClientFacts, EraCodec, ServerFacts } from "../protocol/codec.ts";
import type { Eras } from "./eras.ts";
import { openHttp } from "./http.ts";
import type { HttpOptions } from "./http-options.ts";
import { Link, type LinkPeer } from "./link.ts";
import { openWire, pinnedRevision } from "./opening.ts";
import { Credentials } from "./credentials.ts";
import type { Asker } from "./shown.ts";
import { tapEvents, tapTransport, type WireTap } from "./tap.ts";
import type { Transport, TransportEvents, WireBender } from "./transport.ts";

export interface LinkOptions {
  readonly plan: BackendPlan;
  readonly owner: string;
  readonly client: ClientFacts;
  readonly codec: EraCodec;
  readonly maxMessageBytes: number;
  readonly peer: LinkPeer;
  readonly observer: Observer;
  /** Absent where nobody counts. */
  readonly meter?: SendMeter | undefined;
  /** What was found out about the replicas before. */
  readonly eras?: Eras;
  /** What is shown to the replicas. */
  readonly credentials?: Credentials;
  /** Whose link it is, where the owner is a session. */
  readonly principal?: string | undefined;
  /** Where people sign in to backends, and what principals have shown the gateway. */
  readonly signIn?: Pick<Asker, "loginPage" | "shownBy"> | undefined;
  /** Puts faults on the wires. */
  readonly bend?: WireBender | undefined;
  /** Hears everything that goes over the wire. */
  readonly tap?: WireTap;
}

/**
 * Resolves to a usable link. Rejects with a `GatewayError`, or the scope's reason; the link that `track` was given is
 * closing then.
 */
export async function openLink(
  options: LinkOptions,
  replica: ReplicaPlan,
  scope: Scope,
  track: (link: Link) => void,
): Promise<Link> {
  const { plan, peer, client } = options;
  const link = new Link(plan.name, options.owner, peer, options.meter);
  track(link);
  const { eras } = options;
  const warn = (what: string): void => options.observer.log("warn", `backend ${plan.name}`, what);
  const { tap } = options;
  const forward = replica.kind === "http" ? replica.forward : undefined;
  const connect = async (events: TransportEvents): Promise<Transport> => {
    tap?.opened();
    const wire = await openTransport(options, replica, tap ? tapEvents(events, tap) : events, scope);
    const tapped = tap ? tapTransport(wire, tap) : wire;
    if (!forward) return tapped;
    const { forwarding } = await import("./forwarded.ts");
    return forwarding(tapped, forward, (call) => link.caller(call));
  };
  let wasSilent = false;
  try {
    const opened = await openWire({ plan, replica, client, eras, warn, connect }, link, scope);
    if (opened.kind === "modern") link.negotiated(opened.facts);
    else {
      wasSilent = opened.late !== undefined;
      await shakeHands(options, link, opened.late, scope);
    }
    link.opened();
    return link;
  } catch (error) {
    // One that was still starting, and exits on a request before initialize, must not get that again.
    const exited = wasSilent && error instanceof GatewayError && error.code === "exited";
    if (exited) eras?.note(replica, "legacy");
    else if (!scope.cancelled) eras?.forget(replica);
    void link.close();
    throw error;
  }
}

/** The handshake of the legacy era, unless the server says meanwhile that it is a modern one. */
async function shakeHands(
  { plan, codec, client }: LinkOptions,
  link: Link,
  late: Promise<ServerFacts> | undefined,
  outer: Scope,
): Promise<void> {
  using scope = new Scope(outer);
  const pinned = pinnedRevision(plan);
  const params = { ...codec.openParams(client), ...(pinned === undefined ? {} : { protocolVersion: pinned }) };
  const asked = link.request(codec.openMethod, params, scope);
  const reply = await (late ? Promise.race([asked, late]) : asked);
  if (!(reply instanceof Uint8Array)) {
    // Its answer to initialize can only be an error.
    asked.catch(() => {});
    scope.cancel();
    return link.negotiated(reply);
  }
  const { result, error } = asRecord(JSON.parse(decodeText(reply)));
  const facts = codec.readOpened(result);
  if (!facts || (pinned !== undefined && facts.protocolVersion !== pinned))
    throw refusedHandshake(plan.name, codec.openMethod, result, error);
  // Over HTTP each message is a request of its own: servers refuse what overtakes this one.
  link.negotiated(facts);
  if (codec.openedMethod) await link.deliver(notificationMessage(codec.openedMethod), scope);
}

function openTransport(
  options: LinkOptions,
  replica: ReplicaPlan,
  events: TransportEvents,
  scope: Scope,
): Promise<Transport> | Transport {
  const { bend, plan } = options;
  const { guard } = plan;
  const plain = (heard: TransportEvents): Promise<Transport> | Transport => openWireTo(options, replica, heard, scope);
  const open = bend ? (heard: TransportEvents): Promise<Transport> => bend(heard, plain) : plain;
  if (!guard) return open(events);
  return import("./guard.ts").then(({ openGuarded }) => openGuarded(plan.name, guard, events, open));
}

function openWireTo(
  options: LinkOptions,
  replica: ReplicaPlan,
  events: TransportEvents,
  scope: Scope,
): Promise<Transport> | Transport {
  const { plan, maxMessageBytes, observer, tap } = options;
  const source = `backend ${plan.name}`;
  const stray = (what: string): void => observer.log("warn", source, what);
  const shared = { backend: plan.name, maxMessageBytes, stray };
  switch (replica.kind) {
    case "stdio":
      return import("./stdio.ts").then(({ openStdio }) =>
        openStdio(
          {
            ...shared,
            replica,
            stderr: (line) => observer.log("info", source, line, { fields: { stream: "stderr" } }),
          },
          events,
          scope,
        ),
      );
    case "http": {
      const open = (credential: HttpOptions["credential"]): Promise<Transport> | Transport =>
        openUrl(
          {
            ...shared,
            replica,
            connectMs: plan.connectMs,
            credential,
            changed: () => options.eras?.forget(replica),
            answered: tap && ((status, headers, call) => tap.answered(status, headers, call)),
          },
          options.eras,
          events,
          scope,
        );
      const asker = { backend: plan.name, who: whoOf(options), ...options.signIn };
      const credential = (options.credentials ?? new Credentials()).of(replica, asker);
      return credential ? credential.then(open) : open(undefined);
    }
  }
}

/** The principal behind an owner. */
function whoOf({ owner, principal }: LinkOptions): string {
  if (principal !== undefined) return principal;
  return owner.startsWith("principal:") ? owner.slice("principal:".length) : owner === "shared" ? owner : "anonymous";
}

/** How long an address that refused the one transport may take to show that it speaks the other. */
const olderPatienceMs = 5_000;

/** The transport that the config names; else Streamable HTTP, and HTTP+SSE where a server knows nothing newer. */
function openUrl(
  options: HttpOptions,
  eras: Eras | undefined,
  events: TransportEvents,
  scope: Scope,
): Promise<Transport> | Transport {
  const { replica, connectMs, credential } = options;
  const openSse = async (within: Scope): Promise<Transport> => {
    const sse = await import("./sse.ts");
    return await sse.openSse(options, events, within);
  };
  if (replica.transport === "sse" && credential) return credential.acquire().then(() => openSse(scope));
  if (replica.transport === "sse") return openSse(scope);
  if (replica.transport === "streamable") return openHttp(options, events);
  if (eras?.isSse(replica)) return openSse(scope);
  const older = async (asking: Scope): Promise<Transport> => {
    using patience = new Scope(asking, Math.min(olderPatienceMs, connectMs / 3));
    const wire = await openSse(patience);
    eras?.note(replica, "legacy", true);
    return wire;
  };
  return openHttp({ ...options, older }, events);
}

function refusedHandshake(backend: string, method: string, result: unknown, error: unknown): GatewayError {
  const { code, message } = asRecord(error);
  const version = asRecord(result)["protocolVersion"];
  const why =
    error === undefined
      ? typeof version === "string"
        ? `with protocol version ${JSON.stringify(version.slice(0, 40))}, which mcpctl does not speak`
        : "without a protocol version"
      : `with error ${String(code)}: ${String(message)}`;
  return new GatewayError("badProtocol", `backend "${backend}" answered ${method} ${why}`, {
    backend,
    data: { sent: false },
  });
}
