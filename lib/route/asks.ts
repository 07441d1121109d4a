// Requests of backends to one client: given ids that are unique in its session, and answered where they came from.

import { type Edit, type Envelope, spanBytes, spanText, spanValue, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { Flight } from "../core/flight.ts";
import type { Span } from "../core/trace.ts";
import { errorMessage, notificationMessage } from "../core/rpc.ts";
import { asRecord, decodeText, encodeJson } from "../core/text.ts";
import type { Link } from "../backend/link.ts";
import { copied } from "../backend/rewrite.ts";

/** Who asks: a backend's link, or the gateway in its name. */
type Asker = Pick<Link, "backend" | "send">;

interface Cause {
  readonly flight?: Flight;
}

interface Ask {
  /** What the client knows it by. */
  readonly own: number | string;
  readonly link: Asker;
  /** The call that caused it, where that is known. */
  readonly cause: Cause | undefined;
  readonly id: Uint8Array;
  readonly token: Uint8Array | undefined;
  /** Where the call is recorded. */
  readonly span: Span | undefined;
  readonly deliver: (message: Uint8Array) => void;
}

/** Capability, and member of it, that a client must have declared to get a request. */
export function missingCapability(
  capabilities: Readonly<Record<string, unknown>>,
  request: Envelope,
): string | undefined {
  switch (request.method) {
    case "roots/list":
      return capabilities["roots"] === undefined ? "roots" : undefined;
    case "sampling/createMessage":
      return missingSampling(capabilities["sampling"], request);
    case "elicitation/create":
      return missingElicitation(capabilities["elicitation"], request);
    case undefined:
    default:
      return undefined;
  }
}

function missingSampling(sampling: unknown, request: Envelope): string | undefined {
  if (sampling === undefined) return "sampling";
  if (asRecord(sampling)["tools"] !== undefined) return undefined;
  // 2025-11-25, Sampling: tools only for clients that declared sampling.tools.
  const { tools, toolChoice } = asRecord(spanValue(request, "params"));
  const usesTools = tools !== undefined || toolChoice !== undefined;
  return usesTools ? "sampling.tools" : undefined;
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
  /** By what the client knows them by, as text: a client may give a number back as text. */
  readonly #open = new Map<string, Ask>();
  readonly #node: string;
  #lastId = 0;

  /** `node`: the process, where others may get the answers; they see by the ids whose they are. */
  constructor(node: string = "") {
    this.#node = node;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Delivers a backend's request to the client under an id that is unique among its client's. */
  open(link: Asker, request: Envelope, deliver: (message: Uint8Array) => void, cause?: Cause): void {
    const id = copied(request, "id");
    const idSpan = request.spans.id;
    if (!id || !idSpan) return;
    if (this.#open.size >= maxOpen) {
      link.send(
        errorMessage(
          id,
          new GatewayError("clientUnable", "the client has too many open requests", { backend: link.backend }),
        ),
      );
      return;
    }
    this.#lastId += 1;
    const own = this.#node === "" ? this.#lastId : `${this.#node}-${this.#lastId}`;
    const bytes = encodeJson(own);
    const edits: Edit[] = [{ span: idSpan, bytes }];
    const tokenSpan = request.spans["params._meta.progressToken"];
    if (tokenSpan) edits.push({ span: tokenSpan, bytes });
    const span = cause?.flight?.trace?.asked(request.method ?? "");
    const token = copied(request, "params._meta.progressToken");
    this.#open.set(String(own), { own, link, id, cause, token, span, deliver });
    deliver(splice(request.bytes, edits));
  }

  /** The client's answer, back to the backend under its own id; false for an answer to nothing. */
  answer(reply: Envelope): boolean {
    const id = String(spanValue(reply, "id"));
    const ask = this.#open.get(id);
    const span = reply.spans.id;
    if (!ask || !span) return false;
    this.#open.delete(id);
    ask.span?.end(reply.spans.error ? "error" : "");
    ask.link.send(splice(reply.bytes, [{ span, bytes: ask.id }]));
    return true;
  }

  /** Progress that the client reports on a backend's request. */
  progress(notification: Envelope): boolean {
    const ask = this.#open.get(String(spanValue(notification, "params.progressToken")));
    const span = notification.spans["params.progressToken"];
    if (!ask?.token || !span) return false;
    ask.link.send(splice(notification.bytes, [{ span, bytes: ask.token }]));
    return true;
  }

  /** The backend takes its request back; false where this client was not asked. */
  cancel(link: Link, notification: Envelope): boolean {
    const id = spanBytes(notification, "params.requestId");
    const span = notification.spans["params.requestId"];
    if (!id || !span) return false;
    for (const [key, ask] of this.#open) {
      if (ask.link !== link || decodeText(ask.id) !== decodeText(id)) continue;
      this.#open.delete(key);
      ask.deliver(splice(notification.bytes, [{ span, bytes: encodeJson(ask.own) }]));
      return true;
    }
    return false;
  }

  /** The backend is gone: the client need not answer it any more, and what it still answers is ignored. */
  drop(link: Link): void {
    for (const [key, ask] of this.#open) {
      if (ask.link !== link) continue;
      this.#open.delete(key);
      const reason = `the connection to backend "${link.backend}" ended`;
      ask.deliver(notificationMessage("notifications/cancelled", { requestId: ask.own, reason }));
    }
  }

  /** The client has left a call without a word, and nobody will answer what was asked on it. */
  abandon(cause: object): void {
    for (const [key, ask] of this.#open) {
      if (ask.cause !== cause) continue;
      this.#open.delete(key);
      this.#refuse(ask);
    }
  }

  /** The client is gone: every backend that waits for it is told. */
  close(): void {
    for (const ask of this.#open.values()) this.#refuse(ask);
    this.#open.clear();
  }

  #refuse({ link, id }: Ask): void {
    link.send(errorMessage(id, new GatewayError("clientUnable", "the client is gone", { backend: link.backend })));
  }
}
