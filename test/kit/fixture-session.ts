// One session of the fixture server: an SDK server with its handlers, over the state that all sessions share.
import { EventEmitter } from "node:events";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import {
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type { Result } from "@modelcontextprotocol/sdk/types.js";
import { askingPrompt } from "./fixture-asks.ts";
import { complete, getPrompt, prompts, readResource, resources, templates } from "./fixture-content.ts";
import { isAnswerError } from "./fixture-plain-tools.ts";
import { askAtOnce, legacyRoundTools } from "./fixture-round-tools.ts";
import { suiteTools } from "./fixture-suite-tools.ts";
import { gatewayTools } from "./fixture-tools.ts";
import { levelOf, recordOf } from "./fixture-world.ts";
import type { Call, Extra, Session, World } from "./fixture-world.ts";

/** The state of a fresh fixture process. */
export function createWorld(): World {
  return {
    sessions: new Set(),
    tools: [...suiteTools, ...legacyRoundTools, ...gatewayTools],
    prompts: [],
    grown: [],
    counts: new Map(),
    cancelled: [],
    events: new EventEmitter(),
  };
}

/** A session that is ready to be connected to a transport; it leaves the world when its transport closes. */
export function createSession(world: World): Session {
  const server = new Server(
    { name: "fixture", title: "Fixture server", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        completions: {},
        logging: {},
      },
      instructions: "Use the tools of the fixture server.",
    },
  );
  const session: Session = { server, subscriptions: new Set(), level: "debug" };
  world.sessions.add(session);
  server.onclose = (): void => {
    world.sessions.delete(session);
  };
  serveTools(world, session);
  serveContent(session, world);
  return session;
}

function serveTools(world: World, session: Session): void {
  const { server } = session;
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: world.tools.map(({ tool }) => tool) }));
  // The SDK drops unknown content types and fields from tools/call, unless no handler is registered for it.
  server.fallbackRequestHandler = (request, extra): Promise<Result> => {
    if (request.method !== "tools/call") throw methodNotFound();
    return callTool(world, session, request.params ?? {}, extra);
  };
}

function methodNotFound(): Error {
  return Object.assign(new Error("Method not found"), { code: -32601 });
}

async function callTool(
  world: World,
  session: Session,
  params: Record<string, unknown>,
  extra: Extra,
): Promise<Result> {
  const found = world.tools.findLast(({ tool }) => tool.name === params["name"]);
  if (found === undefined) throw Object.assign(new Error(`Unknown tool: ${String(params["name"])}`), { code: -32602 });
  const call: Call = { args: recordOf(params["arguments"]), extra, session, world };
  try {
    return await found.run(call);
  } catch (error) {
    if (isAnswerError(error)) throw error;
    return { content: [{ type: "text", text: error instanceof Error ? error.message : String(error) }], isError: true };
  }
}

function serveContent(session: Session, world: World): void {
  const { server, subscriptions } = session;
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: [...resources] }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [...templates] }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => readResource(params.uri));
  server.setRequestHandler(ListPromptsRequestSchema, () => ({
    prompts: [...prompts, ...world.prompts, { name: askingPrompt.name, description: askingPrompt.description }],
  }));
  server.setRequestHandler(GetPromptRequestSchema, async ({ params }, extra) => {
    if (params.name !== askingPrompt.name) return getPrompt(params);
    const answers = await askAtOnce(extra, askingPrompt.questions);
    return { messages: [{ role: "user", content: { type: "text", text: JSON.stringify(answers) } }] };
  });
  server.setRequestHandler(CompleteRequestSchema, ({ params }) => complete(params));
  server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    subscriptions.add(params.uri);
    return {};
  });
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    subscriptions.delete(params.uri);
    return {};
  });
  server.setRequestHandler(SetLevelRequestSchema, ({ params }) => {
    session.level = levelOf(params.level);
    return {};
  });
}
