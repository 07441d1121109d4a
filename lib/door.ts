// An address for metrics alone, and how a request for them is answered wherever it comes in.

import { GatewayError } from "./core/errors.ts";
import type { Observer } from "./core/observer.ts";
import type { HttpReply, HttpRequest } from "./front/exchange.ts";
import { type GuardOptions, refuseForeign } from "./front/guard.ts";
import { errorReply, textReply } from "./front/reply.ts";
import type { Listener } from "./listen.ts";

export const metricsPath = "/metrics";

/** Where they are wanted, and who may ask. */
export interface DoorAddress extends GuardOptions {
  readonly port: number;
}

export interface Written {
  readonly text: string;
  readonly contentType: string;
}

/** Metrics in the format that a header asks for. */
export type Write = (accept: string) => Promise<Written>;

export async function answerMetrics(request: HttpRequest, write: Write): Promise<HttpReply> {
  const { method } = request;
  if (method !== "GET" && method !== "HEAD") {
    const error = new GatewayError("methodNotAllowed", `${metricsPath} does not take ${method}`);
    return errorReply(error, undefined, { allow: "GET, HEAD" });
  }
  const { text, contentType } = await write(request.header("accept") ?? "");
  return textReply(text, { "content-type": contentType, "cache-control": "no-store" });
}

/** Opens it; without an address, and where it cannot be had, resolves to undefined, and says why. */
export async function openDoor(
  at: DoorAddress | undefined,
  write: Write,
  observer: Observer,
): Promise<Listener | undefined> {
  if (!at) return undefined;
  const { listen } = await import("./listen.ts");
  const handle = (request: HttpRequest): HttpReply | Promise<HttpReply> => {
    const foreign = refuseForeign(request, at);
    if (foreign) return errorReply(foreign, undefined);
    if (request.path === metricsPath) return answerMetrics(request, write);
    const path = request.path.slice(0, 200);
    return errorReply(new GatewayError("notFound", `there is nothing at ${path} but ${metricsPath}`), undefined);
  };
  try {
    const { host, port } = at;
    const listener = await listen({ host, port, handle });
    observer.log("info", "gateway", `metrics at ${new URL(metricsPath, listener.url).href}`);
    return listener;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    observer.log("error", "gateway", `there are no metrics: ${why}`);
    return undefined;
  }
}
