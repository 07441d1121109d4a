// Requests of backends to one client: given ids that are unique in its session, and answered where they came from.

import { type Edit, type Envelope, spanBytes, spanText, spanValue, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { errorMessage } from "../core/rpc.ts";
import { asRecord, decodeText, encodeText } from "../core/text.ts";
import type { Link } from "../backend/link.ts";

interface Ask {
  readonly link: Link;
  readonly id: Uint8Array;
  readonly token: Uint8Array | undefined;
  readonly deliver: (message: Uint8Array) => void;
}

/** Capability, and member of it, that a client must have declared to get a request. */
export function missingCapability(capabilities: Readonly<Record<string, unknown>>, request: Envelope): string | undefined {
  switch (request.method) {
    case "roots/list":
      return capabilities["roots"] === undefined ? "roots" : undefined;
    case "sampling/createMessage":
      return missingSampling(capabilities["sampling"], request);
    case "elicitation/create":
      return missingElicitation(capabilities["elicitation"], request);
    default:
      return undefined;
  }
}

function missingSampling(sampling: unknown, request: Envelope): string | undefined {
  if (sampling === undefined) return "sampling";
  // 2025-11-25, Sampling: tools only for clients that declared sampling.tools.
  const { tools, toolChoice } = asRecord(spanValue(request, "params"));
  const usesTools = tools !== undefined || toolChoice !== undefined;
  return usesTools && asRecord(sampling)["tools"] === undefined ? "sampling.tools" : undefined;
}

function missingElicitation(elicitation: unknown, request: Envelope): string | undefined {
  if (elicitation === undefined) return "elicitation";
  const { form, url } = asRecord(elicitation);
  if (spanText(request, "params.mode") === "url") return url === undefined ? "elicitation.url" : undefined;
  // 2025-11-25, Elicitation: an empty capability means form.
  return form === undefined && url !== undefined ? "elicitation.form" : undefined;
}

/** A client that does not answer must not let a backend fill the gateway. */
const maxOpen = 1000;

export class Asks {
  readonly #open = new Map<number, Ask>();
  #lastId = 0;

  get size(): number {
    return this.#open.size;
  }

  /** Delivers a backend's request to the client under an id of this session. */
  open(link: Link, request: Envelope, deliver: (message: Uint8Array) => void): void {
    const id = spanBytes(request, "id");
    const span = request.spans.id;
    if (!id || !span) return;
    if (this.#open.size >= maxOpen) {
      link.send(errorMessage(id, new GatewayError("clientUnable", "the client has too many open requests", { backend: link.backend })));
      return;
    }
    this.#lastId += 1;
    const own = encodeText(String(this.#lastId));
    const edits: Edit[] = [{ span, bytes: own }];
    const tokenSpan = request.spans["params._meta.progressToken"];
    if (tokenSpan) edits.push({ span: tokenSpan, bytes: own });
    this.#open.set(this.#lastId, { link, id, token: spanBytes(request, "params._meta.progressToken"), deliver });
    deliver(splice(request.bytes, edits));
  }

  /** The client's answer, back to the backend under its own id; false for an answer to nothing. */
  answer(reply: Envelope): boolean {
    const id = spanValue(reply, "id");
    const ask = typeof id === "number" ? this.#open.get(id) : undefined;
    const span = reply.spans.id;
    if (typeof id !== "number" || !ask || !span) return false;
    this.#open.delete(id);
    ask.link.send(splice(reply.bytes, [{ span, bytes: ask.id }]));
    return true;
  }

  /** Progress that the client reports on a backend's request. */
  progress(notification: Envelope): boolean {
    const token = spanValue(notification, "params.progressToken");
    const ask = typeof token === "number" ? this.#open.get(token) : undefined;
    const span = notification.spans["params.progressToken"];
    if (!ask?.token || !span) return false;
    ask.link.send(splice(notification.bytes, [{ span, bytes: ask.token }]));
    return true;
  }

  /** The backend takes its request back; false where it is not open in this session. */
  cancel(link: Link, notification: Envelope): boolean {
    const id = spanBytes(notification, "params.requestId");
    const span = notification.spans["params.requestId"];
    if (!id || !span) return false;
    for (const [own, ask] of this.#open) {
      if (ask.link !== link || decodeText(ask.id) !== decodeText(id)) continue;
      this.#open.delete(own);
      ask.deliver(splice(notification.bytes, [{ span, bytes: encodeText(String(own)) }]));
      return true;
    }
    return false;
  }

  /** The client is gone: every backend that waits for it is told. */
  close(): void {
    for (const { link, id } of this.#open.values()) {
      link.send(errorMessage(id, new GatewayError("clientUnable", "the client is gone", { backend: link.backend })));
    }
    this.#open.clear();
  }
}
