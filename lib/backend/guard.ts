// What of a backend's messages is let through: results that are not too large, of types that may be, without what is masked.

import type { GuardPlan } from "../config/guard.ts";
import { type Envelope, scan, spanBytes, spanNumber, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { matcherOf } from "../core/glob.ts";
import { errorMessage } from "../core/rpc.ts";
import { decodeText, isRecord } from "../core/text.ts";
import { loadMask, type Mask, maskBytes } from "./mask.ts";
import type { Transport, TransportEvents } from "./transport.ts";

type Open = (events: TransportEvents) => Promise<Transport> | Transport;

/** The gateway's own requests: their results go to no client as they are, and names in them must stay what they are. */
const own: ReadonlySet<string> = new Set([
  "initialize",
  "server/discover",
  "ping",
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/subscribe",
  "resources/unsubscribe",
  "subscriptions/listen",
  "logging/setLevel",
]);
/** Of those that are remembered; one that is forgotten is only guarded like all others. */
const maxOwn = 1_000;
const unknownType = "application/octet-stream";
const plainType = "text/plain";

/** Opens a wire all of whose messages are looked at. */
export async function openGuarded(
  backend: string,
  plan: GuardPlan,
  events: TransportEvents,
  open: Open,
): Promise<Transport> {
  const guard = new Guard(backend, plan, await maskOf(backend, plan));
  return guard.wrap(await open(guard.listen(events)));
}

async function maskOf(backend: string, { mask }: GuardPlan): Promise<Mask | undefined> {
  if (mask.length === 0) return undefined;
  try {
    return await loadMask(mask);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new GatewayError("configInvalid", `a pattern of guard.mask cannot be used: ${why}`, {
      backend,
      cause: error,
    });
  }
}

class Guard {
  readonly #backend: string;
  readonly #maxBytes: number;
  readonly #allows: ((type: string) => boolean) | undefined;
  readonly #mask: Mask | undefined;
  readonly #own = new Set<number>();

  constructor(backend: string, { bytes = Infinity, types }: GuardPlan, mask: Mask | undefined) {
    this.#backend = backend;
    this.#maxBytes = bytes;
    this.#allows = types && matcherOf([...types, plainType]);
    this.#mask = mask;
  }

  /** Without a straight way: what goes there is not looked at. */
  wrap(wire: Transport): Transport {
    return {
      send: (message, call, scope, headers) => {
        this.#note(message, call);
        return wire.send(message, call, scope, headers);
      },
      negotiated: (version) => wire.negotiated(version),
      opened: () => wire.opened(),
      close: () => wire.close(),
      get hears() {
        return wire.hears;
      },
      get pid() {
        return wire.pid;
      },
    };
  }

  /** Without progress that lies in other bytes. */
  listen(events: TransportEvents): TransportEvents {
    return {
      message: (bytes, cause, last) => {
        const scanned = scan(bytes);
        if (scanned.kind === "malformed") return events.message(bytes, cause, last);
        if (scanned.kind === "message")
          return this.#pass(scanned.envelope, (judged) => events.message(judged, cause, last));
        for (const { start, end } of scanned.items) {
          const item = scan(bytes.subarray(start, end));
          const pass = (judged: Uint8Array): void => events.message(judged, cause);
          if (item.kind === "message") this.#pass(item.envelope, pass);
          else pass(bytes.subarray(start, end));
        }
      },
      paused: (call, retryMs) => events.paused(call, retryMs),
      congestion: (call) => events.congestion(call),
      waiting: (call) => events.waiting(call),
      missed: () => events.missed?.(),
      retired: (error) => events.retired(error),
      closed: (error, unsent) => events.closed(error, unsent),
    };
  }

  #note(message: Uint8Array, call: number | undefined): void {
    if (call === undefined) return;
    const scanned = scan(message);
    if (scanned.kind !== "message" || !own.has(scanned.envelope.method ?? "")) return;
    this.#own.add(call);
    const [oldest] = this.#own;
    if (this.#own.size > maxOwn && oldest !== undefined) this.#own.delete(oldest);
  }

  /** What is no result and too large to be looked through goes nowhere. */
  #pass(message: Envelope, pass: (judged: Uint8Array) => void): void {
    const isLost = this.#mask && message.kind !== "response" && message.bytes.length > this.#maxBytes;
    if (!isLost) pass(this.#judged(message));
  }

  /** The message as it may go on. */
  #judged(message: Envelope): Uint8Array {
    const { bytes, kind, spans } = message;
    if (kind === "response" && this.#own.delete(spanNumber(message, "id") ?? -1)) return bytes;
    const failure = kind === "response" ? this.#refusal(message) : undefined;
    if (failure) return errorMessage(spanBytes(message, "id"), failure);
    const part = spans.result ?? spans.error ?? spans.params;
    if (!this.#mask || !part) return bytes;
    const inside = bytes.subarray(part.start, part.end);
    const clean = maskBytes(inside, decodeText(inside), this.#mask);
    return clean === inside ? bytes : splice(bytes, [{ span: part, bytes: clean }]);
  }

  #refusal(message: Envelope): GatewayError | undefined {
    const { bytes } = message;
    const data = { sent: true };
    const about = { backend: this.#backend, data };
    if (bytes.length > this.#maxBytes) {
      const text = `backend "${this.#backend}" answered with ${bytes.length} bytes, and guard.size is ${this.#maxBytes}`;
      return new GatewayError("resultRefused", text, about);
    }
    const result = this.#allows && spanBytes(message, "result");
    const type = result && this.#foreign(JSON.parse(decodeText(result)));
    if (type === undefined) return undefined;
    const text = `backend "${this.#backend}" answered with ${JSON.stringify(type)}, which guard.types does not allow`;
    return new GatewayError("resultRefused", text, about);
  }

  /** A type of something in the value that is not allowed. */
  #foreign(value: unknown): string | undefined {
    if (Array.isArray(value)) {
      for (const item of value as readonly unknown[]) {
        const type = this.#foreign(item);
        if (type !== undefined) return type;
      }
      return undefined;
    }
    if (!isRecord(value)) return undefined;
    const type = typeOf(value);
    if (type !== undefined && this.#allows?.(type) === false) return type.slice(0, 100);
    return this.#foreign(Object.values(value));
  }
}

/** What an object holds by its own words: content of a tool, a prompt or a resource; undefined for any other object. */
function typeOf({ type, mimeType, data, blob, text }: Readonly<Record<string, unknown>>): string | undefined {
  const said = typeof mimeType === "string" ? (mimeType.split(";")[0] ?? "").trim().toLowerCase() : undefined;
  const isBinary = typeof blob === "string" || type === "image" || type === "audio";
  if (isBinary || (typeof data === "string" && said !== undefined)) return said ?? unknownType;
  return typeof text === "string" ? (said ?? plainType) : undefined;
}
