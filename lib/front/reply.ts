// The forms of HTTP answer that the front gives.

import type { GatewayError } from "../core/errors.ts";
import { errorMessage } from "../core/rpc.ts";
import type { EventSink } from "./eventlog.ts";

/** A reader that is this far behind does not read any more. */
const maxUnreadBytes = 16 * 2 ** 20;
const overload = 503;

type Headers = Readonly<Record<string, string>>;

/** Messages as they are. */
export function jsonReply(body: Uint8Array, headers: Headers = {}, status: number = 200): Response {
  return new Response(plain(body), { status, headers: { "content-type": "application/json", ...headers } });
}

/** An error as JSON-RPC, with the HTTP status that its code has. */
export function errorReply(error: GatewayError, id: Uint8Array | undefined, headers: Headers = {}): Response {
  const later: Headers = error.row.http === overload ? { "retry-after": "1" } : {};
  return jsonReply(errorMessage(id, error), { ...later, ...headers }, error.row.http);
}

/** The type of a response's body excludes shared memory, which no message is in; a large reply must not be copied for it. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return isPlain(bytes) ? bytes : new Uint8Array(bytes);
}

function isPlain(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer;
}

/** An event stream; `open` gets the sink, and returns what to do when the client is gone. `signal` is the request's. */
export function eventStream(signal: AbortSignal, open: (sink: EventSink) => () => void): Response {
  let state: "open" | "ended" | "lost" = "open";
  let gone: (() => void) | undefined;
  const lose = (): void => {
    if (state !== "open") return;
    state = "lost";
    gone?.();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const sink: EventSink = {
          write(frame) {
            if (state !== "open") return;
            // Before the frame is added: one that is larger than the limit is no sign of a slow reader.
            if ((controller.desiredSize ?? 0) > 0) return controller.enqueue(frame);
            // The client can come back for what it did not read.
            controller.error(new Error("the client does not read"));
            lose();
          },
          end() {
            if (state !== "open") return;
            state = "ended";
            controller.close();
          },
        };
        gone = open(sink);
        // Lost while it was opened: `gone` was not known then.
        if (state === "lost") gone();
      },
      cancel: lose,
    },
    { highWaterMark: maxUnreadBytes, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  if (signal.aborted) lose();
  else signal.addEventListener("abort", lose, { once: true });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      // nginx would hold events back otherwise.
      "x-accel-buffering": "no",
    },
  });
}
