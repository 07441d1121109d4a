// One harmless call for every tool and prompt of the four servers, and how their outcomes are compared.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { TestClient } from "../kit/client.ts";
import type { RawStream } from "../kit/raw-client.ts";
import type { ServerName } from "../kit/servers.ts";

type Args = Readonly<Record<string, unknown>>;

const everythingTools: Readonly<Record<string, Args>> = {
  echo: { message: "héllo \u{1F600}" },
  "get-annotated-message": { messageType: "error", includeImage: true },
  "get-env": {},
  "get-resource-links": { count: 3 },
  "get-resource-reference": { resourceType: "Text", resourceId: 2 },
  "get-roots-list": {},
  "get-structured-content": { location: "Chicago" },
  "get-sum": { a: 2.5, b: 3 },
  "get-tiny-image": {},
  "gzip-file-as-resource": { name: "a.gz", data: "data:text/plain,hello", outputType: "resource" },
  // Runs as a task only; a plain call is an error, which is to be the same one.
  "simulate-research-query": { topic: "gateways" },
  "toggle-simulated-logging": {},
  "toggle-subscriber-updates": {},
  "trigger-elicitation-request": {},
  "trigger-long-running-operation": { duration: 0.1, steps: 2 },
  "trigger-sampling-request": { prompt: "a question", maxTokens: 7 },
  "trigger-url-elicitation": { url: "https://example.com/a?b=c", message: "Please open", elicitationId: "e-1" },
};

const fixtureTools: Readonly<Record<string, Args>> = {
  "ask-all": {},
  "ask-elicitation": { message: "Who?" },
  "ask-elicitation-url": { elicitationId: "e-2" },
  "ask-roots": {},
  "ask-sampling": { prompt: "a question" },
  "ask-then-slow": { ms: 60, nonce: "sample" },
  big: { bytes: 70_000 },
  cancelled: {},
  count: { nonce: "sample" },
  "count-idempotent": { nonce: "sample" },
  echo: { nested: [{ a: null }, "é\u{1F600}\n", 1.5], "": {} },
  fail: { code: -32042, message: "exactly: \u2028this", data: { why: [1, null] } },
  "header-params": { region: "eu", priority: 1, urgent: false, note: "n" },
  json_schema_2020_12_tool: { name: "Ada", address: { street: "x" } },
  log: { text: "a line", level: "warning" },
  pid: {},
  raw: {},
  session: {},
  slow: { ms: 120 },
  survey: { nonce: "sample" },
  test_audio_content: {},
  test_elicitation: { message: "Your name and address" },
  test_elicitation_sep1034_defaults: {},
  test_elicitation_sep1330_enums: {},
  test_embedded_resource: {},
  test_error_handling: {},
  test_image_content: {},
  test_input_required_result_capabilities: {},
  test_input_required_result_elicitation: {},
  test_input_required_result_list_roots: {},
  test_input_required_result_multi_round: {},
  test_input_required_result_multiple_inputs: {},
  test_input_required_result_request_state: {},
  test_input_required_result_sampling: {},
  test_input_required_result_tampered_state: {},
  test_logging_tool: {},
  test_missing_capability: {},
  test_multiple_content_types: {},
  test_reconnection: {},
  test_sampling: { prompt: "another question" },
  test_simple_text: {},
  test_streaming_elicitation: {},
  test_tool_with_logging: {},
  test_tool_with_progress: {},
  touch: {},
};

/** What the modern fixture has besides; the last ones run as tasks only for clients that know tasks. */
const modernTools: Readonly<Record<string, Args>> = {
  "structured-array": {},
  "structured-boolean": {},
  "structured-null": {},
  "structured-number": {},
  "structured-string": {},
  "ui-clock": {},
  greet: { name: "Ada" },
  slow_compute: { seconds: 0 },
  failing_job: {},
  protocol_error_job: {},
  confirm_delete: { path: "/tmp/x" },
  multi_input: {},
  test_tool_with_task: {},
};

/** Tools that change the listing, end the server or tell of other clients; they have tests of their own. */
const setApart = new Set([
  "grow",
  "shrink",
  "crash",
  "counts",
  "subscriptions",
  "test_trigger_tool_change",
  "test_trigger_prompt_change",
]);

const prompts: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "simple-prompt": {},
  "args-prompt": { city: "Graz", state: "Styria" },
  "completable-prompt": { department: "Sales", name: "Eve" },
  "resource-prompt": { resourceType: "Text", resourceId: "3" },
  test_simple_prompt: {},
  test_prompt_with_arguments: { arg1: "one", arg2: "two" },
  test_prompt_with_embedded_resource: { resourceUri: "test://static-text" },
  test_prompt_with_image: {},
  test_input_required_result_prompt: {},
};

/** URIs that only a template of the server makes, and one that nothing makes. */
export function templateUris(server: ServerName): readonly string[] {
  return server.startsWith("fixture")
    ? ["test://template/a%20b/data", "test://no-such-thing"]
    : ["demo://resource/dynamic/text/4", "demo://resource/dynamic/blob/5", "demo://resource/dynamic/text/none"];
}

/** The arguments of a tool's sample call; undefined for a tool that is set apart. A tool without a sample fails. */
export function toolSample(server: ServerName, tool: string): Args | undefined {
  if (setApart.has(tool)) return undefined;
  const sample = (server.startsWith("fixture") ? fixtureTools : everythingTools)[tool];
  assert.ok(sample, `there is no sample call for tool ${tool}`);
  return sample;
}

/** The same of the modern fixture. */
export function modernToolSample(tool: string): Args | undefined {
  return modernTools[tool] ?? toolSample("fixture", tool);
}

/** The arguments of a prompt's sample. */
export function promptSample(prompt: string): Readonly<Record<string, string>> {
  const sample = prompts[prompt];
  assert.ok(sample, `there is no sample for prompt ${prompt}`);
  return sample;
}

/** A result or an error as plain data, without what differs between two runs: times and random ids. */
export async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    return { result: settled(await work) };
  } catch (error) {
    assert.ok(error instanceof Error && "code" in error, String(error));
    return { error: settled([error.code, error.message, "data" in error ? error.data : undefined]) };
  }
}

function settled(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "string" ? settledText(inner) : inner)),
  );
}

function settledText(text: string): string {
  // The two children of stdio clients are started with other environments.
  if (/^\{\s*"[^]*"PATH":/.test(text)) return "ENVIRONMENT";
  // The reference server puts the time into its blobs.
  const decoded = text.startsWith("UmVzb3VyY2Ug") ? Buffer.from(text, "base64").toString("utf8") : text;
  return decoded
    .replace(/^\d+$/, "PROCESS")
    .replaceAll(/\d{1,2}:\d\d:\d\d( [AP]M)?/g, "TIME")
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(stdio|process)-\d+/g, "UNIQUE");
}

/** A client of either era. */
interface Caller extends Pick<TestClient, "asked" | "notifications"> {
  call(name: string, args: Args, options: { readonly progressToken: string }): Promise<unknown>;
}

/** Calls a tool and gives its outcome with what the client was asked and told meanwhile. */
export async function useTool(one: Caller, name: string, args: Args): Promise<unknown> {
  const [asked, notified] = [one.asked.length, one.notifications.length];
  // Servers that both clients share count on.
  const fresh = "nonce" in args ? { ...args, nonce: randomUUID() } : args;
  const outcome = await outcomeOf(one.call(name, fresh, { progressToken: "sample" }));
  // The reference server asks for the roots by itself some time after the start; listings may change at any time.
  const askedNow = one.asked.slice(asked).filter(({ method }) => method !== "roots/list");
  const told = one.notifications
    .slice(notified)
    .filter(({ method, params }) => method === "notifications/progress" || params?.["logger"] === "fixture");
  return { ...Object(outcome), asked: settled(askedNow), told: settled(told) };
}

/** Reads a stream up to an event that says `text`. */
export async function eventWith(stream: RawStream, text: string): Promise<void> {
  for (;;) {
    const event = await stream.next();
    assert.ok(event, `the stream ended without ${text}`);
    if (event.data.includes(text)) return;
  }
}
