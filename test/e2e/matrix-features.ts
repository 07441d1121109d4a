// The rows of the matrix: what a client does with every feature of the protocol, at a backend behind the gateway.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { askingPrompt } from "../kit/fixture-asks.ts";
import { recordOf, until } from "./kit.ts";
import { hears } from "./matrix-peers.ts";
import type { Peer, Revision } from "./matrix-peers.ts";

/** One client at one backend. */
export interface Cell {
  readonly peer: Peer;
  readonly backend: string;
  readonly backendEra: "legacy" | "modern";
  /** How the gateway shows a URI of this backend. */
  readonly uri: (local: string) => string;
}

interface Feature {
  /** Why a revision has no such thing; then `try` sees that nothing else breaks. */
  readonly absent?: Readonly<Partial<Record<Revision, string>>>;
  readonly try: (cell: Cell) => Promise<void>;
}

const watched = "test://watched-resource";
const user = "the user of a client";

/** By the name that the table shows. */
export const features: Readonly<Record<string, Feature>> = {
  tools: { try: useTools },
  "structured output": { absent: { "2025-03-26": notBefore("2025-06-18") }, try: useStructuredOutput },
  errors: { try: useErrors },
  resources: { try: useResources },
  "resource templates": { try: useTemplates },
  subscriptions: { try: useSubscriptions },
  prompts: { try: usePrompts },
  completion: { try: useCompletion },
  logging: { try: useLogging },
  progress: { try: useProgress },
  cancellation: { try: useCancellation },
  sampling: { try: useSampling },
  "elicitation, form": { absent: { "2025-03-26": notBefore("2025-06-18") }, try: useForms },
  "elicitation, URL": { absent: { "2025-03-26": notBefore("2025-11-25") }, try: useUrls },
  roots: { try: useRoots },
  list_changed: { try: useListChanges },
};

/** What the table says where a revision is too old. */
function notBefore(revision: string): string {
  return `since ${revision} only`;
}

const nameOf = ({ backend }: Cell, local: string): string => `${backend}__${local}`;

function call(cell: Cell, tool: string, args: Readonly<Record<string, unknown>> = {}): ReturnType<Peer["call"]> {
  return cell.peer.call(nameOf(cell, tool), args);
}

/** The first text of a result. */
function textOf({ content }: Readonly<Record<string, unknown>>): string {
  return String(recordOf(Array.isArray(content) ? content[0] : undefined)["text"]);
}

async function answerOf(cell: Cell, tool: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
  return JSON.parse(textOf(await call(cell, tool, args)));
}

/** The error that a piece of work ends with. */
async function errorOf(work: Promise<unknown>): Promise<{ code: unknown; data: unknown; message: string }> {
  const error: unknown = await work.then(
    (result) => assert.fail(`no error but ${JSON.stringify(result)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error && "code" in error, String(error));
  return { code: error.code, message: error.message, data: "data" in error ? error.data : undefined };
}

async function useTools(cell: Cell): Promise<void> {
  const tools = await cell.peer.list("tools");
  const echo = tools.find(({ name }) => name === nameOf(cell, "echo"));
  assert.equal(recordOf(echo?.["inputSchema"])["type"], "object");
  assert.deepEqual(echo?.["annotations"], { readOnlyHint: true });
  const args = { text: "é\u{1F600}", list: [1, { a: null }] };
  assert.deepEqual(await answerOf(cell, "echo", args), args);
  const headers = { region: "Zürich ", priority: 3, urgent: true, note: "n" };
  assert.deepEqual(await answerOf(cell, "header-params", headers), headers);
  const { content } = await call(cell, "test_multiple_content_types");
  assert.ok(Array.isArray(content));
  assert.deepEqual(
    content.map((block: unknown) => recordOf(block)["type"]),
    ["text", "image", "resource"],
  );
}

/** Only modern servers have structured output that is no object; legacy clients get it inside one. */
async function useStructuredOutput(cell: Cell): Promise<void> {
  const { peer } = cell;
  const result = await call(cell, "echo", { a: [1] });
  assert.deepEqual(JSON.parse(textOf(result)), { a: [1] });
  if (isWithout(peer)) return;
  assert.deepEqual(result["structuredContent"], { a: [1] });
  if (cell.backendEra === "legacy") return;
  const isModern = peer.revision === "2026-07-28";
  const tool = (await peer.list("tools")).find(({ name }) => name === nameOf(cell, "structured-array"));
  assert.equal(recordOf(tool?.["outputSchema"])["type"], isModern ? "array" : "object");
  const { structuredContent } = await call(cell, "structured-array");
  assert.deepEqual(structuredContent, isModern ? [1, 2, 3] : { result: [1, 2, 3] });
}

async function useErrors(cell: Cell): Promise<void> {
  const failed = await call(cell, "test_error_handling");
  assert.equal(failed["isError"], true);
  assert.match(textOf(failed), /intentionally/);
  const error = { code: -32_010, message: "exactly this", data: { why: [1] } };
  const { code, data, message } = await errorOf(call(cell, "fail", error));
  assert.deepEqual([code, data], [error.code, error.data]);
  assert.ok(message.endsWith(error.message));
  assert.equal((await errorOf(call(cell, "nowhere"))).code, -32_602);
}

async function useResources(cell: Cell): Promise<void> {
  const { peer, uri } = cell;
  const listed = (await peer.list("resources")).map((resource) => resource["uri"]);
  for (const local of ["test://static-text", "test://static-binary", watched]) assert.ok(listed.includes(uri(local)));
  assert.match(JSON.stringify(await peer.read(uri("test://static-text"))), /content of the static text resource/);
  assert.match(JSON.stringify(await peer.read(uri("test://static-binary"))), /"mimeType":"image\/png"/);
  const { code } = await errorOf(peer.read(uri("test://nowhere")));
  // The SDK's 2.x client makes one code of the two that say so.
  assert.equal(code, peer.revision === "2025-11-25" ? -32_002 : -32_602);
}

async function useTemplates({ peer, uri }: Cell): Promise<void> {
  const listed = await peer.list("resourceTemplates");
  assert.ok(listed.some(({ uriTemplate }) => uriTemplate === "test://template/{id}/data"));
  assert.match(JSON.stringify(await peer.read(uri("test://template/7/data"))), /Data for ID: 7/);
}

async function useSubscriptions(cell: Cell): Promise<void> {
  const { peer, uri } = cell;
  const leave = await peer.subscribe(uri(watched));
  const isIt = (params: Readonly<Record<string, unknown>>): boolean => params["uri"] === uri(watched);
  await hears(peer, "notifications/resources/updated", isIt, () => call(cell, "touch", { uri: watched }));
  await leave();
  const isGone = async (): Promise<boolean> => !JSON.stringify(await answerOf(cell, "subscriptions")).includes(watched);
  await until(isGone, "the subscription stays");
}

async function usePrompts(cell: Cell): Promise<void> {
  const { peer } = cell;
  const name = nameOf(cell, "test_prompt_with_arguments");
  const prompt = (await peer.list("prompts")).find((one) => one["name"] === name);
  assert.match(JSON.stringify(prompt), /"arg1".*"arg2"/);
  const { messages } = await peer.prompt(name, { arg1: "one", arg2: "two" });
  assert.match(JSON.stringify(messages), /arg1='one', arg2='two'/);
  const { messages: withImage } = await peer.prompt(nameOf(cell, "test_prompt_with_image"));
  assert.match(JSON.stringify(withImage), /"type":"image"/);
}

async function useCompletion(cell: Cell): Promise<void> {
  const { values } = await cell.peer.complete(nameOf(cell, "test_prompt_with_arguments"), "arg1", "par");
  assert.deepEqual(values, ["paris", "park", "party"]);
}

async function useLogging(cell: Cell): Promise<void> {
  const { peer } = cell;
  const tool = nameOf(cell, "log");
  const [low, high, last] = [randomUUID(), randomUUID(), randomUUID()];
  const isSaid =
    (text: string) =>
    (params: Readonly<Record<string, unknown>>): boolean =>
      params["data"] === text;
  await peer.callAt("error", tool, { level: "warning", text: low });
  const work = (): Promise<unknown> => peer.callAt("error", tool, { level: "error", text: high });
  const { params } = await hears(peer, "notifications/message", isSaid(high), work);
  assert.equal(params?.["level"], "error");
  await hears(peer, "notifications/message", isSaid(last), () =>
    peer.callAt("debug", tool, { level: "debug", text: last }),
  );
  assert.ok(!JSON.stringify(peer.notifications).includes(low), "a message below the level was told");
}

async function useProgress(cell: Cell): Promise<void> {
  const { peer } = cell;
  const progressToken = randomUUID();
  await peer.call(nameOf(cell, "slow"), { ms: 120 }, { progressToken });
  const heard = peer.notifications.filter(({ params }) => params?.["progressToken"] === progressToken);
  assert.deepEqual(
    heard.map(({ params }) => [params?.["progress"], params?.["total"]]),
    [
      [0, 120],
      [50, 120],
      [100, 120],
    ],
  );
}

async function useCancellation(cell: Cell): Promise<void> {
  const { peer } = cell;
  const [nonce, progressToken] = [randomUUID(), randomUUID()];
  const abort = new AbortController();
  const options = { signal: abort.signal, progressToken };
  const slow = peer.call(nameOf(cell, "slow"), { ms: 60_000, nonce }, options);
  const rejected = assert.rejects(slow);
  const hasBegun = (): boolean => peer.notifications.some(({ params }) => params?.["progressToken"] === progressToken);
  await until(hasBegun, "the call does not begin");
  abort.abort("enough");
  await rejected;
  // Answers as soon as the server has heard of it.
  assert.ok(JSON.stringify(await answerOf(cell, "cancelled", { nonce })).includes(nonce));
}

/** Calls a tool that asks; gives what it was answered, and what the client was asked meanwhile. */
async function asking(
  cell: Cell,
  tool: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<{ answer: Readonly<Record<string, unknown>>; asked: Peer["asked"] }> {
  const mark = cell.peer.asked.length;
  const answer = recordOf(await answerOf(cell, tool, args));
  return { answer, asked: cell.peer.asked.slice(mark) };
}

async function useSampling(cell: Cell): Promise<void> {
  const { answer, asked } = await asking(cell, "ask-sampling", { prompt: user });
  assert.match(JSON.stringify(answer["content"]), /An answer of the test model/);
  assert.deepEqual(
    asked.map(({ method }) => method),
    ["sampling/createMessage"],
  );
  assert.match(JSON.stringify(asked[0]?.params), new RegExp(user));
}

/** One question, three at once, three one after the other of a call that runs once, and a prompt that asks. */
async function useForms(cell: Cell): Promise<void> {
  const { peer } = cell;
  if (isWithout(peer)) return refuses(cell, "ask-elicitation");
  const { answer, asked } = await asking(cell, "ask-elicitation", { message: user });
  assert.deepEqual([answer["action"], answer["content"]], ["accept", { name: "Ada" }]);
  const { message, requestedSchema } = recordOf(asked[0]?.params);
  assert.equal(message, user);
  assert.deepEqual(recordOf(requestedSchema)["required"], ["name"]);
  const all = await asking(cell, "ask-all");
  assert.deepEqual([Object.keys(all.answer).sort(), all.asked.length], [["name", "opinion", "places"], 3]);
  const survey = await asking(cell, "survey", { nonce: randomUUID() });
  assert.equal(survey.answer["count"], 1);
  assert.deepEqual(
    survey.asked.map(({ method }) => method),
    ["elicitation/create", "sampling/createMessage", "roots/list"],
  );
  const { messages } = await peer.prompt(nameOf(cell, askingPrompt.name));
  assert.match(JSON.stringify(messages), /Ada/);
}

async function useUrls(cell: Cell): Promise<void> {
  if (isWithout(cell.peer)) return refuses(cell, "ask-elicitation-url");
  const url = "https://example.com/a?b=c";
  const { answer, asked } = await asking(cell, "ask-elicitation-url", { url, message: user });
  assert.equal(answer["action"], "accept");
  const params = recordOf(asked[0]?.params);
  assert.deepEqual([params["mode"], params["url"], params["message"]], ["url", url, user]);
}

async function useRoots(cell: Cell): Promise<void> {
  const { answer, asked } = await asking(cell, "ask-roots");
  assert.deepEqual(answer["roots"], [{ uri: "file:///tmp/root", name: "root" }]);
  assert.equal(asked.length, 1);
}

async function useListChanges(cell: Cell): Promise<void> {
  const { peer } = cell;
  const name = `grown-${randomUUID().slice(0, 8)}`;
  const leave = await peer.follow();
  const isAny = (): boolean => true;
  const isListed = async (): Promise<boolean> =>
    (await peer.list("tools")).some((tool) => tool["name"] === nameOf(cell, name));
  await hears(peer, "notifications/tools/list_changed", isAny, () => call(cell, "grow", { name }));
  assert.ok(await isListed());
  await hears(peer, "notifications/tools/list_changed", isAny, () => call(cell, "shrink"));
  assert.ok(!(await isListed()));
  const changePrompts = (): Promise<unknown> => call(cell, "test_trigger_prompt_change");
  await hears(peer, "notifications/prompts/list_changed", isAny, changePrompts);
  await hears(peer, "notifications/prompts/list_changed", isAny, changePrompts);
  await leave();
}

const isWithout = ({ revision }: Peer): boolean => revision === "2025-03-26";

/** A client that cannot be asked is not asked, and the call says what is missing. */
async function refuses(cell: Cell, tool: string): Promise<void> {
  const mark = cell.peer.asked.length;
  const said = await call(cell, tool).then(
    (result) => JSON.stringify(result),
    (error: unknown) => String(error),
  );
  assert.match(said, /elicitation/);
  assert.equal(cell.peer.asked.length, mark);
}
