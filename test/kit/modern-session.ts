// One server of the modern fixture: what the SDK serves for one request, or for one connection.
import {
  fromJsonSchema,
  isCallToolResult,
  isInputRequiredResult,
  isSpecType,
  McpServer,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import type { CallToolResult, InputRequiredResult, Server, ServerContext } from "@modelcontextprotocol/server";
import type { Result } from "@modelcontextprotocol/sdk/types.js";
import { askingPrompt } from "./fixture-asks.ts";
import { complete, getPrompt, readResource, resources, templates } from "./fixture-content.ts";
import { isAnswerError } from "./fixture-plain-tools.ts";
import { recordOf } from "./fixture-world.ts";
import { tasksExtension } from "./modern-tasks.ts";
import { clockUri } from "./modern-tools.ts";
import type { DirectPeer, ModernWorld } from "./modern-world.ts";

const appType = "text/html;profile=mcp-app";
const clock = { uri: clockUri, name: "Clock", description: "The page of ui-clock", mimeType: appType };

/** A server that is ready to be connected, and what the world must know about it if it stays. */
export function createModernServer(world: ModernWorld, era: DirectPeer["era"]): { mcp: McpServer; peer: DirectPeer } {
  const { name, ttlMs, cacheScope } = world.options;
  const hint = { ttlMs, cacheScope };
  const mcp = new McpServer(
    { name, title: "Modern fixture server", version: "2.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        completions: {},
        logging: {},
        extensions: { [tasksExtension]: {}, "io.modelcontextprotocol/ui": { mimeTypes: [appType] } },
      },
      instructions: "Use the tools of the modern fixture server.",
      requestState: { verify: world.openState },
      cacheHints: {
        "tools/list": hint,
        "prompts/list": hint,
        "resources/list": hint,
        "resources/templates/list": hint,
        "resources/read": hint,
        "server/discover": hint,
      },
    },
  );
  const peer: DirectPeer = { server: mcp.server, era, subscriptions: new Set() };
  serveTools(world, mcp);
  serveResources(world, mcp);
  servePrompts(world, mcp.server);
  serveSubscriptions(peer);
  return { mcp, peer };
}

function serveTools(world: ModernWorld, mcp: McpServer): void {
  // The SDK checks the headers of a call against the tools it has in its own registry.
  for (const { tool } of world.tools) {
    const { type, properties = {} } = tool.inputSchema;
    if (!Object.values(properties).some((property) => "x-mcp-header" in recordOf(property))) continue;
    mcp.registerTool(tool.name, { inputSchema: fromJsonSchema({ type, properties }) }, () => ({ content: [] }));
  }
  mcp.server.setRequestHandler("tools/list", () => {
    const listing: unknown = { tools: world.tools.map(({ tool }) => tool) };
    if (!isSpecType.ListToolsResult(listing)) throw new Error("a tool of the fixture is no tool");
    return listing;
  });
  mcp.server.setRequestHandler("tools/call", ({ params }, ctx) => callTool(world, params, ctx));
}

async function callTool(
  world: ModernWorld,
  params: { readonly name: string; readonly arguments?: unknown },
  ctx: ServerContext,
): Promise<CallToolResult | InputRequiredResult> {
  const found = world.tools.findLast(({ tool }) => tool.name === params.name);
  if (found === undefined) throw Object.assign(new Error(`Unknown tool: ${params.name}`), { code: -32602 });
  return typed(await run());

  async function run(): Promise<Result> {
    try {
      return (await found?.run({ args: recordOf(params.arguments), ctx, world })) ?? {};
    } catch (error) {
      if (isAnswerError(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      return { content: [{ type: "text", text: message }], isError: true };
    }
  }
}

function typed(result: Result): CallToolResult | InputRequiredResult {
  if (isInputRequiredResult(result) || isCallToolResult(result)) return result;
  throw new Error(`no result of a tool: ${JSON.stringify(result)}`);
}

/** Resources go through the SDK's registry, because that is where its skills extension adds its own. */
function serveResources(world: ModernWorld, mcp: McpServer): void {
  for (const { uri, name, ...more } of resources) mcp.registerResource(name, uri, more, () => readResource(uri));
  const { uri, name, ...more } = clock;
  const page = { uri, mimeType: appType, text: "<!doctype html><title>Clock</title><p>12:00</p>" };
  mcp.registerResource(name, uri, more, () => ({ contents: [page] }));
  for (const { uriTemplate, name: title, ...rest } of templates)
    mcp.registerResource(title, new ResourceTemplate(uriTemplate, { list: undefined }), rest, ({ href }) =>
      readResource(href),
    );
  world.skills?.attach(mcp);
}

function servePrompts(world: ModernWorld, server: Server): void {
  server.setRequestHandler("prompts/list", () => ({ prompts: [...world.prompts] }));
  server.setRequestHandler("prompts/get", ({ params }, ctx) => {
    if (params.name !== askingPrompt.name) return getPrompt(params);
    const { user_context: context } = ctx.mcpReq.inputResponses ?? {};
    if (context !== undefined) return { messages: [userText(`With the context ${JSON.stringify(context)}`)] };
    const asked: unknown = { resultType: "input_required", inputRequests: askingPrompt.questions };
    if (!isInputRequiredResult(asked)) throw new Error("the prompt asks for nothing");
    return asked;
  });
  server.setRequestHandler("completion/complete", ({ params }) => complete(params));
}

function userText(text: string): { role: "user"; content: { type: "text"; text: string } } {
  return { role: "user", content: { type: "text", text } };
}

/** Methods of the legacy era; the SDK refuses them in the modern one. */
function serveSubscriptions({ server, subscriptions }: DirectPeer): void {
  server.setRequestHandler("resources/subscribe", ({ params }) => {
    subscriptions.add(params.uri);
    return {};
  });
  server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    subscriptions.delete(params.uri);
    return {};
  });
}
