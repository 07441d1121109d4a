// Tools of the fixture server that the official conformance suite calls by name.
import { setTimeout as pause } from "node:timers/promises";
import { CreateMessageResultSchema, ElicitResultSchema } from "@modelcontextprotocol/sdk/types.js";
import type { ElicitRequestFormParams, Result } from "@modelcontextprotocol/sdk/types.js";
import { defineTool, json, sendLog, sendProgress, stringArg, text } from "./fixture-world.ts";
import type { Call, FixtureTool } from "./fixture-world.ts";

/** A PNG of one red pixel. */
export const redPixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/** A WAV file without samples. */
const silence = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

const image = { type: "image", data: redPixel, mimeType: "image/png" };

const contentTools: readonly FixtureTool[] = [
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

/** Asks the client to fill in a form; the result says what it answered. */
async function elicit(
  call: Call,
  message: string,
  requestedSchema: ElicitRequestFormParams["requestedSchema"],
): Promise<Result> {
  const answer = await call.extra.sendRequest(
    { method: "elicitation/create", params: { mode: "form", message, requestedSchema } },
    ElicitResultSchema,
  );
  return text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
}

const titled = (titles: Readonly<Record<string, string>>): { const: string; title: string }[] =>
  Object.entries(titles).map(([value, title]) => ({ const: value, title }));

const clientTools: readonly FixtureTool[] = [
  defineTool(
    "test_sampling",
    "Asks the client's model",
    async ({ args, extra }) => {
      const prompt = stringArg(args, "prompt", "");
      const answer = await extra.sendRequest(
        {
          method: "sampling/createMessage",
          params: { messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens: 100 },
        },
        CreateMessageResultSchema,
      );
      return text(`LLM response: ${answer.content.type === "text" ? answer.content.text : answer.content.type}`);
    },
    { prompt: { type: "string", description: "What to ask" } },
  ),
  defineTool(
    "test_elicitation",
    "Asks the user for a name and an address",
    (call) =>
      elicit(call, stringArg(call.args, "message", ""), {
        type: "object",
        properties: {
          username: { type: "string", description: "User's response" },
          email: { type: "string", description: "User's email address" },
        },
        required: ["username", "email"],
      }),
    { message: { type: "string", description: "What the user reads" } },
  ),
  defineTool("test_elicitation_sep1034_defaults", "Asks with a default for every primitive type", (call) =>
    elicit(call, "Check these values", {
      type: "object",
      properties: {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      },
    }),
  ),
  defineTool("test_elicitation_sep1330_enums", "Asks with every form of a choice", (call) =>
    elicit(call, "Choose", {
      type: "object",
      properties: {
        untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
        titledSingle: {
          type: "string",
          oneOf: titled({ value1: "First Option", value2: "Second Option", value3: "Third Option" }),
        },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
        titledMulti: {
          type: "array",
          items: { anyOf: titled({ value1: "First Choice", value2: "Second Choice", value3: "Third Choice" }) },
        },
      },
    }),
  ),
];

const schemaTool: FixtureTool = {
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

/** Every tool that the suite's server scenarios call. */
export const suiteTools: readonly FixtureTool[] = [...contentTools, ...streamTools, ...clientTools, schemaTool];
