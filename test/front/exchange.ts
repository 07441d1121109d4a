// Between the Request and Response of fetch and the exchange of the front: requests without a socket.
import type { Framing } from "../../lib/backend/http1-head.ts";
import type { RequestHead } from "../../lib/front/request-head.ts";
import { type EventBody, type Handle, type HttpReply, tellGone } from "../../lib/front/exchange.ts";
import { IncomingRequest } from "../../lib/front/request.ts";

/** Hands a request to a front as a connection would, and gives its answer the form of fetch. */
export async function exchange(handle: Handle, request: Request): Promise<Response> {
  const { signal } = request;
  const incoming = incomingOf(request);
  const reply = handle(incoming);
  // The body comes after the head was handed on, and its client may leave at any time.
  signal.addEventListener("abort", () => incoming.lose());
  if (signal.aborted) incoming.lose();
  else void send(request, incoming);
  return responseOf(await reply, signal);
}

async function send(request: Request, incoming: IncomingRequest): Promise<void> {
  try {
    const body = new Uint8Array(await request.arrayBuffer());
    if (body.length > 0) incoming.add(body);
    incoming.finish();
  } catch {
    incoming.lose();
  }
}

/** The request with its head, before any of its body. */
export function incomingOf(request: Request): IncomingRequest {
  const { host, pathname, search } = new URL(request.url);
  const length = request.headers.get("content-length");
  const body: Framing = length === null ? { kind: "chunked" } : { kind: "length", length: Number(length) };
  const head: RequestHead = {
    method: request.method,
    path: pathname,
    query: search.slice(1),
    headers: new Map([["host", host], ...request.headers]),
    framing: request.body ? body : { kind: "none" },
    keepAlive: true,
    isOld: false,
    expects: "nothing",
  };
  return new IncomingRequest(head, { wanted: () => {}, offer: () => {} }, { pause: () => {}, resume: () => {} });
}

/** The answer; `signal` is the client's, which ends a stream. */
export function responseOf({ status, headers, body }: HttpReply, signal?: AbortSignal): Response {
  const init = { status, headers };
  if (body === undefined) return new Response(null, init);
  if (body instanceof Uint8Array) return new Response(new Uint8Array(body), init);
  return new Response(streamOf(body, signal), init);
}

function streamOf(body: EventBody, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let gone = (): void => {};
  let isOver = false;
  const lose = (): void => {
    if (isOver) return;
    isOver = true;
    gone();
  };
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      const left = body.open({
        write: (frame) => {
          if (!isOver) controller.enqueue(frame);
        },
        end: () => {
          if (isOver) return;
          isOver = true;
          controller.close();
        },
      });
      gone = () => tellGone(left);
      signal?.addEventListener("abort", () => {
        if (!isOver) controller.error(signal.reason);
        lose();
      });
    },
    cancel: lose,
  });
}
