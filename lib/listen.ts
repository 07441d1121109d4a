// The sockets of the front: the one place that knows which runtime serves HTTP.

import { serve, type Server, type ServerRequest } from "srvx";
import { GatewayError } from "./core/errors.ts";
import { Scope, sleep } from "./core/scope.ts";

export interface Listener {
  /** Where it listens, with the real port. */
  readonly url: URL;
  /** Takes no new connections; with `now`, cuts the open ones too, once the answers given so far have left. */
  close(now: boolean): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly handle: (request: Request) => Promise<Response> | Response;
}

/** A client that has not read an answer by then does not read it. */
const flushMs = 500;
const flushStepMs = 10;

/** Listens; rejects with `portInUse` where somebody else does. */
export async function listen({ host, port, handle }: ListenOptions): Promise<Listener> {
  const abort = new AbortController();
  const answering = new Set<Promise<unknown>>();
  try {
    const server = serve({
      hostname: host,
      port,
      silent: true,
      gracefulShutdown: false,
      fetch: (request) => {
        noteDelivery(request, answering);
        return handle(request);
      },
      // Bun cuts slow answers and silent streams after 10 s otherwise, and refuses large bodies in its own words.
      bun: { idleTimeout: 0, maxRequestBodySize: Number.MAX_SAFE_INTEGER },
      deno: { signal: abort.signal },
    });
    await server.ready();
    const url = new URL(server.url ?? `http://${host}:${port}`);
    const isQuiet = (): boolean => (server.bun?.server?.pendingRequests ?? answering.size) === 0;
    return { url, close: (now) => close(server, now, isQuiet, abort) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const isTaken = code === "EADDRINUSE" || (error instanceof Error && error.name === "AddrInUse");
    const why = isTaken
      ? "is in use by another program"
      : `cannot be opened: ${error instanceof Error ? error.message : String(error)}`;
    throw new GatewayError("portInUse", `${host}:${port} ${why}`, { cause: error });
  }
}

/** Deno alone says so when an answer has been delivered; Bun counts. */
function noteDelivery({ runtime }: ServerRequest, answering: Set<Promise<unknown>>): void {
  const info: unknown = runtime?.deno?.info;
  const completed: unknown =
    typeof info === "object" && info !== null && "completed" in info ? info.completed : undefined;
  if (!(completed instanceof Promise)) return;
  answering.add(completed);
  const settle = (): void => void answering.delete(completed);
  completed.then(settle, settle);
}

async function close(server: Server, now: boolean, isQuiet: () => boolean, abort: AbortController): Promise<void> {
  // Deno cannot cut connections any more once it was told to stop gently, and then waits for a slow client for ever:
  // until the end, the gateway itself refuses what is new.
  if (!now) return server.runtime === "deno" ? undefined : server.close(false);
  using patience = new Scope(undefined, flushMs);
  while (!isQuiet() && !patience.cancelled) await sleep(flushStepMs, patience).catch(() => {});
  if (server.runtime === "deno") abort.abort();
  else await server.close(true);
}
