// The forms of HTTP answer that the front gives.

import type { GatewayError } from "../core/errors.ts";
import { errorMessage } from "../core/rpc.ts";
import type { EventSink } from "./eventlog.ts";

/** A reader that is this far behind does not read any more. */
const maxUnreadBytes = 16 * 2 ** 20;

/** An error as JSON-RPC, with the HTTP status that its code has. */
export function errorReply(error: GatewayError, id: Uint8Array | undefined, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(new Uint8Array(errorMessage(id, error)), {
    status: error.row.http,
    headers: { "content-type": "application/json", ...headers },
  });
}

/** An event stream; `open` gets the sink, and returns what to do when the client is gone. */
export function eventStream(open: (sink: EventSink) => () => void): Response {
  let gone: () => void = () => {};
  let over = false;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const finish = (action: () => void): void => {
          if (over) return;
          over = true;
          action();
        };
        const sink: EventSink = {
          write(frame) {
            if (over) return;
            controller.enqueue(frame);
            // The client can come back for what it did not read.
            if ((controller.desiredSize ?? 0) < 0) finish(() => (controller.error(new Error("the client does not read")), gone()));
          },
          end: () => finish(() => controller.close()),
        };
        gone = open(sink);
      },
      cancel() {
        over = true;
        gone();
      },
    },
    { highWaterMark: maxUnreadBytes, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      // nginx would hold events back otherwise.
      "x-accel-buffering": "no",
    },
  });
}
