// The modern fixture server over stdin and stdout: the SDK's entry behind a transport that answers some requests itself.
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { recordOf } from "./fixture-world.ts";
import { answerByHand, listenedTasks, listenToTasks, readModern } from "./modern-by-hand.ts";
import { createModernServer } from "./modern-session.ts";
import { TaskStore } from "./modern-tasks.ts";
import { forgetListen } from "./modern-world.ts";
import type { ModernWorld } from "./modern-world.ts";

/** Serves the process's stdin and stdout. */
export function serveModernStdio(world: ModernWorld): void {
  const factory: Parameters<typeof serveStdio>[0] = ({ era }) => {
    const { mcp, peer } = createModernServer(world, era);
    world.peers.add(peer);
    mcp.server.onclose = (): void => {
      world.peers.delete(peer);
    };
    return mcp;
  };
  serveStdio(factory, { legacy: world.options.both ? "serve" : "reject", transport: new ByHandTransport(world) });
}

/** Standard input and output without the requests that are answered by hand. */
class ByHandTransport implements Transport {
  readonly #inner = new StdioServerTransport();
  readonly #tasks = new TaskStore();
  /** Ends a listen stream for tasks, by its id. */
  readonly #stops = new Map<string, () => void>();
  readonly #world: ModernWorld;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;

  constructor(world: ModernWorld) {
    this.#world = world;
  }

  start(): Promise<void> {
    this.#inner.onclose = (): void => this.onclose?.();
    this.#inner.onerror = (error): void => this.onerror?.(error);
    this.#inner.onmessage = (message): void => this.#receive(message);
    return this.#inner.start();
  }

  send(message: JSONRPCMessage): Promise<void> {
    return this.#inner.send(message);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #receive(message: JSONRPCMessage): void {
    const request = readModern(message);
    const answer = request && answerByHand(this.#world, this.#tasks, request);
    if (request !== undefined && answer !== undefined) {
      const error = (cause: unknown): void => this.onerror?.(new Error("no answer by hand", { cause }));
      this.send({ jsonrpc: "2.0", id: request.id, ...answer }).catch(error);
      return;
    }
    const taskIds = request && listenedTasks(request);
    if (request !== undefined && taskIds !== undefined) {
      const send = (notification: JSONRPCMessage): void => {
        this.send(notification).catch((error: unknown) =>
          this.onerror?.(new Error("no notification", { cause: error })),
        );
      };
      this.#stops.set(String(request.id), listenToTasks(this.#tasks, request.id, taskIds, send));
      return;
    }
    this.#recordListen(message);
    this.onmessage?.(message);
  }

  #recordListen(message: JSONRPCMessage): void {
    if (!("method" in message)) return;
    const params = recordOf(message.params);
    if (message.method === "subscriptions/listen" && "id" in message)
      this.#world.listens.set(String(message.id), recordOf(params["notifications"]));
    if (message.method === "notifications/cancelled") {
      this.#stops.get(String(params["requestId"]))?.();
      forgetListen(this.#world, String(params["requestId"]));
    }
  }
}
