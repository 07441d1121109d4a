// Resources, resource templates, prompts and completions of the fixture server.
import type {
  CompleteRequest,
  CompleteResult,
  GetPromptRequest,
  GetPromptResult,
  Prompt,
  ReadResourceResult,
  Resource,
  ResourceTemplate,
} from "@modelcontextprotocol/sdk/types.js";
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js";
import { redPixel } from "./fixture-suite-tools.ts";

/** Direct resources, in the order of the listing. */
export const resources: readonly Resource[] = [
  { uri: "test://static-text", name: "Static text", description: "Text that stays", mimeType: "text/plain" },
  { uri: "test://static-binary", name: "Static image", description: "One red pixel", mimeType: "image/png" },
  { uri: "test://watched-resource", name: "Watched", description: "Can be subscribed to", mimeType: "text/plain" },
];

/** Resource templates. */
export const templates: readonly ResourceTemplate[] = [
  {
    uriTemplate: "test://template/{id}/data",
    name: "Data by id",
    description: "Data of one id",
    mimeType: "application/json",
  },
];

/** Prompts, in the order of the listing. */
export const prompts: readonly Prompt[] = [
  { name: "test_simple_prompt", description: "A prompt without arguments" },
  {
    name: "test_prompt_with_arguments",
    description: "A prompt with two arguments",
    arguments: [
      { name: "arg1", description: "First argument", required: true },
      { name: "arg2", description: "Second argument", required: true },
    ],
  },
  {
    name: "test_prompt_with_embedded_resource",
    description: "A prompt that carries a resource",
    arguments: [{ name: "resourceUri", description: "URI of the resource", required: true }],
  },
  { name: "test_prompt_with_image", description: "A prompt that carries an image" },
];

/** The content of `uri`, or the error that the specification asks for. */
export function readResource(uri: string): ReadResourceResult {
  if (uri === "test://static-text")
    return one(uri, "text/plain", { text: "This is the content of the static text resource." });
  if (uri === "test://static-binary") return one(uri, "image/png", { blob: redPixel });
  if (uri === "test://watched-resource") return one(uri, "text/plain", { text: "Watched resource content" });
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id === undefined) throw new McpError(-32002, "Resource not found", { uri });
  return one(uri, "application/json", { text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) });
}

function one(uri: string, mimeType: string, body: { text: string } | { blob: string }): ReadResourceResult {
  return { contents: [{ uri, mimeType, ...body }] };
}

/** The messages of a prompt, or an error that names it. */
export function getPrompt({ name, arguments: args = {} }: GetPromptRequest["params"]): GetPromptResult {
  if (name === "test_simple_prompt") return { messages: [userText("This is a simple prompt for testing.")] };
  if (name === "test_prompt_with_arguments")
    return {
      messages: [userText(`Prompt with arguments: arg1='${args["arg1"] ?? ""}', arg2='${args["arg2"] ?? ""}'`)],
    };
  if (name === "test_prompt_with_embedded_resource") {
    const resource = {
      uri: args["resourceUri"] ?? "",
      mimeType: "text/plain",
      text: "Embedded resource content for testing.",
    };
    return {
      messages: [
        { role: "user", content: { type: "resource", resource } },
        userText("Please process the embedded resource above."),
      ],
    };
  }
  if (name === "test_prompt_with_image")
    return {
      messages: [
        { role: "user", content: { type: "image", data: redPixel, mimeType: "image/png" } },
        userText("Please analyze the image above."),
      ],
    };
  throw new McpError(ErrorCode.InvalidParams, `Prompt ${name} not found`);
}

function userText(text: string): GetPromptResult["messages"][number] {
  return { role: "user", content: { type: "text", text } };
}

/** Completions that start with what was typed. */
export function complete({ argument }: CompleteRequest["params"]): CompleteResult {
  const values = ["paris", "park", "party", "test", "testing"].filter((value) => value.startsWith(argument.value));
  return { completion: { values, total: values.length, hasMore: false } };
}
