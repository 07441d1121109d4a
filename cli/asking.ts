// Answers in the terminal what a server asks during a call: elicitation and sampling.

import process from "node:process";
import { createInterface, type Interface } from "node:readline/promises";
import { GatewayError } from "../lib/index.ts";
import { plain, say } from "./output.ts";

type Params = Readonly<Record<string, unknown>>;

/** The result that the server gets; a `GatewayError` "clientUnable" where the answer is no. */
export async function askTerminal(server: string, method: string, params: Params): Promise<unknown> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // The terminal is raw while a line is typed: Ctrl-C comes as a key, and would end the question alone.
  lines.on("SIGINT", () => {
    process.emit("SIGINT");
    lines.close();
  });
  // Ctrl-D, or an input that has ended: a question that is open then is never answered on some runtimes.
  const ended = new Promise<typeof gone>((resolve) => lines.once("close", () => resolve(gone)));
  try {
    const answer = await Promise.race([ask(lines, server, method, params), ended]);
    if (answer !== gone) return answer;
  } catch (error) {
    if (!isAbort(error)) throw error;
  } finally {
    lines.close();
  }
  // 2025-11-25, Elicitation, "Response Actions": who goes away has neither agreed nor declined.
  if (method === "elicitation/create") return { action: "cancel" };
  throw refusal();
}

const gone = Symbol("gone");

async function ask(lines: Interface, server: string, method: string, params: Params): Promise<unknown> {
  if (method === "elicitation/create") return await elicit(lines, server, params);
  if (method === "sampling/createMessage") return await sample(lines, server, params);
  throw new GatewayError("clientUnable", `this client does not answer ${method}`);
}

/** On others it fails. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** 2025-11-25, Sampling, "Error Handling". */
function refusal(): GatewayError {
  return new GatewayError("samplingRejected", "User rejected sampling request");
}

/** The answer where nobody is to be asked: no. */
export function refuse(method: string): unknown {
  if (method === "elicitation/create") return { action: "decline" };
  if (method === "sampling/createMessage") throw refusal();
  throw new GatewayError("clientUnable", `this client does not answer ${method}`);
}

async function elicit(lines: Interface, server: string, params: Params): Promise<unknown> {
  say(`${server} asks: ${textOf(params["message"])}`);
  if (params["mode"] === "url") {
    say(`  open ${textOf(params["url"])}`);
    return { action: (await agrees(lines, "  Done? [y/N] ")) ? "accept" : "decline" };
  }
  const schema = recordOf(params["requestedSchema"]);
  const properties = Object.entries(recordOf(schema["properties"]));
  if (properties.length === 0)
    return { action: (await agrees(lines, "  Agree? [y/N] ")) ? "accept" : "decline", content: {} };
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  say("  (an empty line takes the default; ! declines)");
  const content: Record<string, unknown> = {};
  for (const [name, property] of properties) {
    const value = await askOne(lines, name, recordOf(property), required.includes(name));
    if (value === declined) return { action: "decline" };
    if (value !== undefined) content[name] = value;
  }
  return { action: "accept", content };
}

const declined = Symbol("declined");

async function askOne(lines: Interface, name: string, schema: Params, isRequired: boolean): Promise<unknown> {
  const options = optionsOf(schema);
  const fallback = schema["default"];
  const hint = options.length > 0 ? ` (${options.join(", ")})` : ` (${textOf(schema["type"])})`;
  const about = textOf(schema["title"]) || textOf(schema["description"]);
  const shown = fallback === undefined ? "" : ` [${JSON.stringify(fallback)}]`;
  for (;;) {
    const written = (
      await lines.question(
        plain(`  ${name}${isRequired ? "*" : ""}${hint}${about === "" ? "" : ` – ${about}`}${shown}: `),
      )
    ).trim();
    if (written === "!") return declined;
    if (written === "" && (fallback !== undefined || !isRequired)) return fallback;
    const value = convert(written, textOf(schema["type"]), options);
    if (value !== undefined) return value;
    say(
      `  ${name} must be ${options.length > 0 ? `one of ${options.join(", ")}` : `of type ${textOf(schema["type"])}`}`,
    );
  }
}

function convert(written: string, type: string, options: readonly string[]): unknown {
  switch (type) {
    case "boolean":
      return /^(?:y|yes|true)$/i.test(written) ? true : /^(?:n|no|false)$/i.test(written) ? false : undefined;
    case "integer":
      return /^-?\d+$/.test(written) ? Number(written) : undefined;
    case "number":
      return written !== "" && Number.isFinite(Number(written)) ? Number(written) : undefined;
    case "array": {
      const words = written.split(",").map((word) => word.trim());
      return words.every((word) => options.length === 0 || options.includes(word)) ? words : undefined;
    }
    default:
      return written !== "" && (options.length === 0 || options.includes(written)) ? written : undefined;
  }
}

/** 2025-11-25, Elicitation: enums with and without titles, of one or several values. */
function optionsOf(schema: Params): readonly string[] {
  const list = schema["enum"] ?? schema["oneOf"] ?? schema["anyOf"];
  if (Array.isArray(list)) return list.map((each: unknown) => textOf(recordOf(each)["const"]) || textOf(each));
  return schema["items"] === undefined ? [] : optionsOf(recordOf(schema["items"]));
}

async function sample(lines: Interface, server: string, params: Params): Promise<unknown> {
  say(`${server} wants a model's answer to:`);
  const system = textOf(params["systemPrompt"]);
  if (system !== "") say(`  system: ${system}`);
  const messages: unknown = params["messages"];
  for (const message of Array.isArray(messages) ? messages : []) {
    const { role, content } = recordOf(message);
    const blocks = (Array.isArray(content) ? content : [content]).map(recordOf);
    for (const block of blocks) say(`  ${textOf(role)}: ${textOf(block["text"]) || `[${textOf(block["type"])}]`}`);
  }
  const text = (await lines.question("  Your answer (an empty line refuses): ")).trim();
  if (text === "") throw refusal();
  return { role: "assistant", content: { type: "text", text }, model: "human", stopReason: "endTurn" };
}

async function agrees(lines: Interface, question: string): Promise<boolean> {
  return /^y(?:es)?$/i.test((await lines.question(question)).trim());
}

function recordOf(value: unknown): Params {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
