// Opens a link to one replica: the wire, then the handshake of its era.

import type { BackendPlan, ReplicaPlan } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";
import type { Observer } from "../core/observer.ts";
import { notificationMessage } from "../core/rpc.ts";
import type { Scope } from "../core/scope.ts";
import { asRecord, decodeText } from "../core/text.ts";
import type { ClientFacts, EraCodec } from "../protocol/codec.ts";
import { openHttp } from "./http.ts";
import { Link, type LinkPeer } from "./link.ts";
import { openStdio } from "./stdio.ts";
import type { Transport, TransportEvents } from "./transport.ts";

export interface LinkOptions {
  readonly plan: BackendPlan;
  readonly owner: string;
  readonly client: ClientFacts;
  readonly codec: EraCodec;
  readonly maxMessageBytes: number;
  readonly peer: LinkPeer;
  readonly observer: Observer;
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
  const { plan, peer, codec, client } = options;
  const link = new Link(plan.name, options.owner, peer);
  track(link);
  try {
    link.attach(await openTransport(options, replica, link, scope));
    const reply = await link.request(codec.openMethod, codec.openParams(client), scope);
    const { result, error } = asRecord(JSON.parse(decodeText(reply)));
    const facts = codec.readOpened(result);
    if (!facts) throw refusedHandshake(plan.name, codec.openMethod, result, error);
    // Over HTTP each message is a request of its own: servers refuse what overtakes this one.
    link.negotiated(facts);
    if (codec.openedMethod) await link.deliver(notificationMessage(codec.openedMethod), scope);
    link.opened();
    return link;
  } catch (error) {
    void link.close();
    throw error;
  }
}

function openTransport(
  options: LinkOptions,
  replica: ReplicaPlan,
  events: TransportEvents,
  scope: Scope,
): Promise<Transport> | Transport {
  const { plan, maxMessageBytes, observer } = options;
  const source = `backend ${plan.name}`;
  const stray = (what: string): void => observer.log("warn", source, what);
  const shared = { backend: plan.name, maxMessageBytes, stray };
  switch (replica.kind) {
    case "stdio":
      return openStdio({ ...shared, replica, stderr: (line) => observer.log("info", source, line) }, events, scope);
    case "http":
      return openHttp({ ...shared, replica, connectMs: plan.connectMs }, events);
  }
}

function refusedHandshake(backend: string, method: string, result: unknown, error: unknown): GatewayError {
  const { code, message } = asRecord(error);
  const version = asRecord(result)["protocolVersion"];
  const why =
    error === undefined
      ? typeof version === "string"
        ? `with protocol version ${JSON.stringify(version.slice(0, 40))}, which this gateway does not speak`
        : "without a protocol version"
      : `with error ${String(code)}: ${String(message)}`;
  return new GatewayError("badProtocol", `backend "${backend}" answered ${method} ${why}`, {
    backend,
    data: { sent: false },
  });
}
