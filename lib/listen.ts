// The sockets of the front: the one place that knows which runtime serves HTTP.

import { serve } from "srvx";
import { GatewayError } from "./core/errors.ts";

export interface Listener {
  /** Where it listens, with the real port. */
  readonly url: URL;
  /** Takes no new connections; with `now`, cuts the open ones too. */
  close(now: boolean): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly handle: (request: Request) => Promise<Response> | Response;
}

/** Listens; rejects with `portInUse` where somebody else does. */
export async function listen({ host, port, handle }: ListenOptions): Promise<Listener> {
  try {
    const server = serve({
      hostname: host,
      port,
      silent: true,
      gracefulShutdown: false,
      fetch: handle,
      // Bun cuts slow answers and silent streams after 10 s otherwise, and refuses large bodies in its own words.
      bun: { idleTimeout: 0, maxRequestBodySize: Number.MAX_SAFE_INTEGER },
    });
    await server.ready();
    const url = new URL(server.url ?? `http://${host}:${port}`);
    return { url, close: (now) => server.close(now) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const isTaken = code === "EADDRINUSE" || (error instanceof Error && error.name === "AddrInUse");
    const why = isTaken ? "is in use by another program" : `cannot be opened: ${error instanceof Error ? error.message : String(error)}`;
    throw new GatewayError("portInUse", `${host}:${port} ${why}`, { cause: error });
  }
}
