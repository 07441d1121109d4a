// State of the modern fixture server that its requests share, and what one of its tools may use while it runs.
import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { createRequestStateCodec, InMemoryServerEventBus } from "@modelcontextprotocol/server";
import type {
  CacheScope,
  LoggingLevel,
  Server,
  ServerContext,
  ServerEvent,
  ServerEventBus,
} from "@modelcontextprotocol/server";
import type { SkillsExtension } from "@modelcontextprotocol/server/ext/skills";
import type { Prompt, Result, ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import type { Counters, FixtureTool, PlainCall } from "./fixture-world.ts";

/** What the command line chooses. */
export interface ModernOptions {
  readonly name: string;
  /** Serves the legacy revisions too. */
  readonly both: boolean;
  readonly ttlMs: number;
  readonly cacheScope: CacheScope;
}

/** A connection that takes notifications itself: stdin and stdout, or a legacy session. */
export interface DirectPeer {
  readonly server: Server;
  readonly era: "legacy" | "modern";
  readonly subscriptions: Set<string>;
}

/** The filter of an open `subscriptions/listen`, as it was sent. */
export type ListenFilter = Readonly<Record<string, unknown>>;

/** Answers by question: what one round of a multi-round tool leaves for the next. */
export type Answers = Readonly<Record<string, unknown>>;

/** What all requests of one modern fixture process share. */
export interface ModernWorld extends Counters {
  readonly options: ModernOptions;
  readonly tools: ModernTool[];
  readonly prompts: Prompt[];
  /** Names that `grow` added, oldest first. */
  readonly grown: string[];
  /** Open listen streams by an id of their own. */
  readonly listens: Map<string, ListenFilter>;
  readonly peers: Set<DirectPeer>;
  /** Carries change events to the listen streams over HTTP. */
  readonly bus: ServerEventBus;
  /** The skills extension, if it is offered. */
  readonly skills: SkillsExtension | undefined;
  readonly sealState: (answers: Answers) => Promise<string>;
  readonly openState: (state: string, ctx: ServerContext) => Promise<Answers>;
}

/** What a tool of the modern fixture may use while it runs. */
export interface ModernCall extends PlainCall {
  readonly ctx: ServerContext;
  readonly world: ModernWorld;
}

export type ModernTool = FixtureTool<ModernCall>;

/** The state of a fresh modern fixture process. */
export function createModernWorld(
  options: ModernOptions,
  tools: readonly ModernTool[],
  prompts: readonly Prompt[],
  skills?: SkillsExtension,
): ModernWorld {
  const codec = createRequestStateCodec<Answers>({ key: randomBytes(32) });
  return {
    options,
    tools: [...tools],
    prompts: [...prompts],
    grown: [],
    counts: new Map(),
    cancelled: [],
    events: new EventEmitter(),
    listens: new Map(),
    peers: new Set(),
    bus: new InMemoryServerEventBus(),
    skills,
    sealState: (answers) => codec.mint(answers),
    openState: (state, ctx) => codec.verify(state, ctx),
  };
}

/** Tells everyone who listens, over either transport and in either era. */
export async function announce(world: ModernWorld, event: ServerEvent): Promise<void> {
  world.bus.publish(event);
  await Promise.all([...world.peers].map((peer) => notifyPeer(peer, event)));
}

async function notifyPeer({ server, era, subscriptions }: DirectPeer, event: ServerEvent): Promise<void> {
  switch (event.kind) {
    case "tools_list_changed":
      return server.sendToolListChanged();
    case "prompts_list_changed":
      return server.sendPromptListChanged();
    case "resources_list_changed":
      return server.sendResourceListChanged();
    case "resource_updated":
      // The SDK filters for a modern peer by what it listens to.
      if (era === "modern" || subscriptions.has(event.uri)) await server.sendResourceUpdated({ uri: event.uri });
  }
}

/** Takes note that a listen stream has ended. */
export function forgetListen(world: ModernWorld, key: string): void {
  if (world.listens.delete(key)) world.events.emit("listens");
}

/** Logs on the call's stream, if the request asked for this level. */
export function logTo({ ctx }: ModernCall, level: LoggingLevel, data: string): Promise<void> {
  return ctx.mcpReq.log(level, data, "fixture");
}

/** Reports progress on the call's stream, if the request asked for it. */
export async function progressTo({ ctx }: ModernCall, progress: number, total: number): Promise<void> {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  await ctx.mcpReq.notify({
    method: "notifications/progress",
    params: { progressToken, progress, total, message: `${progress} of ${total}` },
  });
}

/** The client's answers of this round. */
export function responsesOf(call: ModernCall): Answers {
  return call.ctx.mcpReq.inputResponses ?? {};
}

/** What earlier rounds left in the sealed state. */
export function stateOf(call: ModernCall): Answers {
  // The SDK has verified the state and gives what `openState` made of it.
  return call.ctx.mcpReq.requestState<Answers>() ?? {};
}

/** Asks the client, and leaves `state` for the next round. */
export async function askFor(
  call: ModernCall,
  inputRequests: Readonly<Record<string, ServerRequest>>,
  state?: Answers,
): Promise<Result> {
  const requests = Object.entries(inputRequests).map(([key, request]) => [key, modernAsk(request)]);
  const asked = { resultType: "input_required", inputRequests: Object.fromEntries(requests) };
  return state === undefined ? asked : { ...asked, requestState: await call.world.sealState(state) };
}

/** The request as this era writes it: an elicitation by URL has no id of its own. */
function modernAsk(request: ServerRequest): object {
  if (request.method !== "elicitation/create" || !("elicitationId" in request.params)) return request;
  const { elicitationId: _, ...params } = request.params;
  return { method: request.method, params };
}
