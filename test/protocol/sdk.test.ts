// What the protocol layer writes is what the SDK's modern server takes, and what that writes is read here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { type Envelope, spanValue } from "../../lib/core/envelope.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { legacyAsk, readLegacyAnswer } from "../../lib/protocol/bridge-input.ts";
import { legacyResultEdits, modernRequestEdits, resultKind } from "../../lib/protocol/bridge.ts";
import { judgeProbe } from "../../lib/protocol/modern-discover.ts";
import { type Header, nameSource, requestHeaders } from "../../lib/protocol/modern-headers.ts";
import { readInputRequired, retryEdits } from "../../lib/protocol/modern-input.ts";
import { requestMeta } from "../../lib/protocol/modern-meta.ts";
import { paramHeaders, readParamHeaders } from "../../lib/protocol/modern-params.ts";
import { modernCodec } from "../../lib/protocol/modern.ts";
import { bytesOf, edited, envelope, modernVersion, request, textOf } from "./wire.ts";

const inputSchema = z.object({
  region: z.string().meta({ "x-mcp-header": "Region" }),
  name: z.string().optional(),
});

let runs = 0;

function createServer(): McpServer {
  const server = new McpServer({ name: "peer", version: "1.2.3" }, { capabilities: { tools: {}, logging: {} } });
  server.registerTool("where", { inputSchema }, ({ region }) => ({ content: [{ type: "text", text: region }] }));
  server.registerTool("ask", { inputSchema: z.object({}) }, (_args, ctx) => {
    runs += 1;
    const { inputResponses } = ctx.mcpReq;
    if (inputResponses) return { content: [{ type: "text", text: JSON.stringify(inputResponses) }] };
    const params = { message: "Who?", requestedSchema: { type: "object", properties: { name: { type: "string" } } } };
    // The SDK's types want its own helper; the wire has nothing else.
    return JSON.parse(
      JSON.stringify({
        resultType: "input_required",
        inputRequests: { who: { method: "elicitation/create", params } },
        requestState: "step 1",
      }),
    );
  });
  return server;
}

const meta = requestMeta({
  version: modernVersion,
  clientInfo: { name: "gateway", version: "1" },
  capabilities: { elicitation: { form: {} } },
});

/** Sends a message the way a link will, and reads the reply, as JSON or as the last event of a stream. */
async function send(message: Envelope, more: readonly Header[] = []): Promise<{ status: number; reply: Envelope }> {
  const handler = createMcpHandler(createServer, { legacy: "reject" });
  const method = message.method ?? "";
  const source = nameSource(method);
  const name = source && spanValue(message, `params.${source}`);
  const headers = [
    ["content-type", "application/json"],
    ["accept", "application/json, text/event-stream"],
    ...requestHeaders(modernVersion, method, typeof name === "string" ? name : undefined),
    ...more,
  ].map(([key = "", value = ""]): [string, string] => [key, value]);
  const response = await handler.fetch(
    new Request("http://localhost/mcp", { method: "POST", headers, body: textOf(message.bytes) }),
  );
  const text = await response.text();
  const data = text.split("\n").findLast((line) => line.startsWith("data:"));
  await handler.close();
  return { status: response.status, reply: envelope(data?.slice(5) ?? text) };
}

const modern = (legacy: Envelope): Envelope => edited(legacy, modernRequestEdits(legacy, meta));

test("sdk: its server is recognized by the probe", async () => {
  const probe = request(modernCodec.openMethod, {
    ...modernCodec.openParams({ name: "gateway", version: "1", capabilities: {} }),
  });
  const { status, reply } = await send(probe);
  const verdict = judgeProbe({ kind: "reply", reply, status }, "http");
  assert(verdict.kind === "modern");
  assert.deepEqual(verdict.discovered.facts.serverInfo, { name: "peer", version: "1.2.3" });
  assert(verdict.discovered.facts.capabilities["tools"]);
});

test("sdk: its server takes a bridged call with mirrored parameters, and no other", async () => {
  const listed = await send(modern(request("tools/list")));
  const { tools } = spanValue(listed.reply, "result") as { tools: { name: string; inputSchema: unknown }[] };
  const annotations = readParamHeaders(tools.find(({ name }) => name === "where")?.inputSchema);
  assert(annotations.kind === "valid" && annotations.params.length === 1);
  const call = modern(request("tools/call", { name: "where", arguments: { region: " eu " } }));
  const { status, reply } = await send(call, paramHeaders(annotations.params, call));
  assert.equal(status, 200);
  assert.equal(resultKind(reply, "tools/call").kind, "complete");
  const legacy = edited(reply, legacyResultEdits(reply, "tools/call"));
  assert.deepEqual(spanValue(legacy, "result"), { content: [{ type: "text", text: " eu " }] });
  const refused = await send(call);
  assert.deepEqual([refused.status, spanValue(refused.reply, "error.code")], [400, -32020]);
});

test("sdk: its server's question goes to a legacy client, and the answer completes the call", async () => {
  const call = modern(request("tools/call", { name: "ask", arguments: {} }));
  const asked = (await send(call)).reply;
  assert.equal(resultKind(asked, "tools/call").kind, "inputRequired");
  const input = readInputRequired(asked);
  assert(!(input instanceof GatewayError));
  const [question] = input.requests;
  assert(question);
  assert.equal(envelope(legacyAsk(question, bytesOf("9"), "e")).method, "elicitation/create");
  const answer = readLegacyAnswer(
    envelope({ jsonrpc: "2.0", id: 9, result: { action: "accept", content: { name: "Ada" } } }),
    question.method,
  );
  assert(answer.kind === "result");
  const { reply } = await send(edited(call, retryEdits(call, [[question.key, answer.result]], input.state)));
  const { content } = spanValue(reply, "result") as { content: { text: string }[] };
  assert.deepEqual(JSON.parse(content[0]?.text ?? ""), { who: { action: "accept", content: { name: "Ada" } } });
  assert.equal(runs, 2);
});
