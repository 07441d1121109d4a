// Tools of the fixture server that the official conformance suite calls by name.
import { setTimeout as pause } from "node:timers/promises";
import { CreateMessageResultSchema, ElicitResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { askSampling, forms } from "./fixture-asks.ts";
import { defineTool, json, sendLog, sendProgress, text } from "./fixture-world.ts";
import type { FixtureTool, PlainTool } from "./fixture-world.ts";

/** A PNG of one red pixel. */
export const redPixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/** A WAV file without samples. */
const silence = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

const image = { type: "image", data: redPixel, mimeType: "image/png" };

const contentTools: readonly PlainTool[] = [
  defineTool("test_simple_text", "Returns one text block", () => text("This is a simple text response for testing.")),
  defineTool("test_image_content", "Returns one image", () => ({ content: [image] })),
  defineTool("test_audio_content", "Returns one sound", () => ({
    content: [{ type: "audio", data: silence, mimeType: "audio/wav" }],
  })),
  defineTool("test_embedded_resource", "Returns an embedded resource", () => ({
    content: [
      {
        type: "resource",
        resource: {
          uri: "test://embedded-resource",
          mimeType: "text/plain",
          text: "This is an embedded resource content.",
        },
      },
    ],
  })),
  defineTool("test_multiple_content_types", "Returns text, an image and a resource", () => ({
    content: [
      { type: "text", text: "Multiple content types test:" },
      image,
      {
        type: "resource",
        resource: {
          uri: "test://mixed-content-resource",
          mimeType: "application/json",
          text: '{"test":"data","value":123}',
        },
      },
    ],
  })),
  defineTool("test_error_handling", "Always fails", () => {
    throw new Error("This tool intentionally returns an error for testing");
  }),
];

const streamTools: readonly FixtureTool[] = [
  defineTool("test_tool_with_logging", "Logs three times while it runs", async (call) => {
    await sendLog(call, "info", "Tool execution started");
    await pause(50);
    await sendLog(call, "info", "Tool processing data");
    await pause(50);
    await sendLog(call, "info", "Tool execution completed");
    return text("Logged three messages");
  }),
  defineTool("test_tool_with_progress", "Reports progress three times", async (call) => {
    await sendProgress(call, 0, 100);
    await pause(50);
    await sendProgress(call, 50, 100);
    await pause(50);
    await sendProgress(call, 100, 100);
    return text("Reported progress three times");
  }),
  defineTool("test_reconnection", "Closes its stream and answers on the resumed one", async ({ extra }) => {
    extra.closeSSEStream?.();
    await pause(100);
    return text("Answered after the stream was closed");
  }),
];

const clientTools: readonly FixtureTool[] = [
  defineTool(
    "test_sampling",
    "Asks the client's model",
    async ({ args, extra }) => {
      const answer = await extra.sendRequest(askSampling(args), CreateMessageResultSchema);
      return text(`LLM response: ${answer.content.type === "text" ? answer.content.text : answer.content.type}`);
    },
    { prompt: { type: "string", description: "What to ask" } },
  ),
  ...forms.map(({ name, description, params }) =>
    defineTool(
      name,
      description,
      async ({ args, extra }) => {
        const request = { method: "elicitation/create", params: params(args) } as const;
        const answer = await extra.sendRequest(request, ElicitResultSchema);
        return text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
      },
      { message: { type: "string", description: "What the user reads" } },
    ),
  ),
];

const schemaTool: PlainTool = {
  tool: {
    name: "json_schema_2020_12_tool",
    description: "Declares its input with JSON Schema 2020-12 keywords",
    inputSchema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      $defs: {
        address: {
          $anchor: "addressDef",
          type: "object",
          properties: { street: { type: "string" }, city: { type: "string" } },
        },
      },
      properties: {
        name: { type: "string" },
        address: { $ref: "#/$defs/address" },
        contactMethod: { type: "string", enum: ["phone", "email"] },
        phone: { type: "string" },
        email: { type: "string" },
      },
      allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
      if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: { required: ["phone"] },
      else: { required: ["email"] },
      additionalProperties: false,
    },
  },
  run: ({ args }) => json(args),
};

/** The tools of the suite that both fixture servers offer. */
export const plainSuiteTools: readonly PlainTool[] = [...contentTools, schemaTool];

/** Every tool that the suite's server scenarios call. */
export const suiteTools: readonly FixtureTool[] = [...plainSuiteTools, ...streamTools, ...clientTools];
