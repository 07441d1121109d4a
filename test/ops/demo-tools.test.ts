// The tools and the prompt of the demo backends "text" and "clock".
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CompleteResultSchema,
  GetPromptResultSchema,
  ListPromptsResultSchema,
  ProgressNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { DemoPeer, member, type Message, mistakeText, structuredOf } from "../kit/demo-peer.ts";

test("demo text: the tools do what they say", async () => {
  await using peer = new DemoPeer("text");
  const value = async (name: string, args: unknown): Promise<Message> => structuredOf(await peer.call(name, args));
  assert.deepEqual(await value("word_count", { text: "Don't panic, Zoë 👩‍🚀\nEnd\n" }), {
    words: 4,
    characters: 23,
    lines: 2,
  });
  assert.deepEqual(await value("word_count", { text: "" }), { words: 0, characters: 0, lines: 0 });
  assert.deepEqual(await value("reverse", { text: "one two", by: "words" }), { reversed: "two one" });
  assert.deepEqual(await value("slugify", { text: "  Crème Brûlée, 2 ways! " }), { slug: "creme-brulee-2-ways" });
  assert.deepEqual(await value("slugify", { text: "A b", separator: "_" }), { slug: "a_b" });
  assert.deepEqual(await value("diff", { before: "a\nb\nc", after: "a\nx\nc\nd" }), {
    added: 2,
    removed: 1,
    diff: " a\n-b\n+x\n c\n+d",
  });
});

test("demo text: mistakes in arguments are results that name every one of them", async () => {
  await using peer = new DemoPeer("text");
  const text = mistakeText(await peer.call("reverse", { by: "sideways", txt: "a" }));
  assert.match(text, /"text" must be a string, and is missing/);
  assert.match(text, /"by" must be one of "characters", "words", "lines", and is "sideways"/);
  assert.match(text, /"txt" is not an argument \(there is text, by\)/);
  assert.match(mistakeText(await peer.call("word_count", [])), /arguments must be an object, and is an array/);
  assert.match(mistakeText(await peer.call("word_count")), /"text" must be a string/);
  assert.match(mistakeText(await peer.call("slugify", { text: "日本" })), /no Latin letter/);
  assert.match(mistakeText(await peer.call("repeat_slowly", { text: "a", times: 101 })), /from 1 to 100, and is 101/);
  assert.match(mistakeText(await peer.call("diff", { before: "\n".repeat(3000), after: "" })), /2000 lines.*3001/);
});

test("demo text: repeat_slowly reports progress that grows, before its result, only when asked", async () => {
  await using peer = new DemoPeer("text");
  const args = { text: "hi", times: 3, pauseMs: 0 };
  assert.deepEqual(structuredOf(await peer.call("repeat_slowly", args)), { repeated: ["hi", "hi", "hi"] });
  assert.equal(peer.notified.length, 0);
  for (const progressToken of ["token", 7]) {
    await peer.call("repeat_slowly", args, { progressToken });
    const seen = peer.notified.splice(0).map((message) => ProgressNotificationSchema.parse(message).params);
    assert.deepEqual(
      seen.map((params) => [params.progressToken, params.progress, params.total]),
      [1, 2, 3].map((step) => [progressToken, step, 3]),
    );
  }
  const refused = await peer.error("tools/call", { name: "repeat_slowly", _meta: { progressToken: {} } });
  assert.equal(refused["code"], -32602);
});

test("demo text: a cancelled call gets no answer and its id is free again", async () => {
  await using peer = new DemoPeer("text");
  const params = { name: "repeat_slowly", arguments: { text: "hi", pauseMs: 10_000 } };
  peer.write(`${JSON.stringify({ jsonrpc: "2.0", id: "slow", method: "tools/call", params })}\n`);
  await peer.send("ping");
  peer.write('{"jsonrpc":"2.0","id":"slow","method":"ping"}\n');
  await peer.send("ping");
  assert.match(String(member(peer.notified.pop(), "error")["message"]), /id "slow" belongs to a request/);
  peer.notify("notifications/cancelled", { requestId: "slow", reason: "bored" });
  await peer.send("ping");
  assert.deepEqual((await peer.send("ping", {}, "slow"))["result"], {});
  assert.equal(peer.lines.length, 5);
});

test("demo text: a call that waits does not hold up the end", async () => {
  await using peer = new DemoPeer("text");
  const params = { name: "repeat_slowly", arguments: { text: "hi", times: 100, pauseMs: 10_000 } };
  peer.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params })}\n`);
  await peer.end();
  assert.deepEqual(peer.lines, []);
});

test("demo text: the prompt is listed, filled in, and completed", async () => {
  await using peer = new DemoPeer("text");
  const { prompts } = ListPromptsResultSchema.parse(await peer.result("prompts/list"));
  assert.deepEqual(
    prompts.map((prompt) => prompt.name),
    ["summarize"],
  );
  const filled = await peer.result("prompts/get", {
    name: "summarize",
    arguments: { text: "Long.", style: "bullets" },
  });
  const [first] = GetPromptResultSchema.parse(filled).messages;
  assert.ok(first?.content.type === "text");
  assert.match(first.content.text, /bullet points[^]*Long\./);
  const ref = { type: "ref/prompt", name: "summarize" };
  const complete = async (name: string, value: string): Promise<readonly string[]> => {
    const result = await peer.result("completion/complete", { ref, argument: { name, value } });
    return CompleteResultSchema.parse(result).completion.values;
  };
  assert.deepEqual(await complete("style", "B"), ["brief", "bullets"]);
  assert.deepEqual(await complete("style", "e"), ["executive", "brief", "bullets", "headline", "questions"]);
  assert.deepEqual(await complete("text", "a"), []);
  const bad: readonly (readonly [string, unknown])[] = [
    ["prompts/get", { name: "nope" }],
    ["prompts/get", { name: "summarize" }],
    ["prompts/get", { name: "summarize", arguments: { text: "a", style: "toString" } }],
    ["prompts/get", { name: "summarize", arguments: { text: "a", tone: "b" } }],
    ["completion/complete", { ref, argument: { name: "tone", value: "" } }],
    ["completion/complete", { ref: { type: "ref/resource", uri: "a:b" }, argument: { name: "style", value: "" } }],
    ["completion/complete", { ref }],
  ];
  for (const [method, params] of bad) assert.equal((await peer.error(method, params))["code"], -32602);
});

test("demo clock: every answer names its replica, mistakes too", async () => {
  await using peer = new DemoPeer("clock", "b2");
  for (const args of [undefined, {}, { timezone: "Asia/Kolkata" }]) {
    assert.equal(structuredOf(await peer.call("now", args))["replica"], "b2");
  }
  assert.equal(structuredOf(await peer.call("add", { date: "2030-01-01", duration: "P1D" }))["replica"], "b2");
  for (const args of [{ timezone: "Berlin" }, { zone: 1 }])
    assert.match(mistakeText(await peer.call("now", args)), /replica b2/);
});

test("demo clock: now tells the time of a zone with its offset", async () => {
  await using peer = new DemoPeer("clock");
  for (const timezone of ["UTC", "Asia/Kolkata", "America/St_Johns"]) {
    const { time, unixMs } = structuredOf(await peer.call("now", { timezone }));
    assert.equal(Date.parse(String(time)), Math.floor(Number(unixMs) / 1000) * 1000, String(time));
  }
  assert.match(String(structuredOf(await peer.call("now"))["time"]), /\+00:00$/);
  assert.match(mistakeText(await peer.call("now", { timezone: "berlin" })), /did you mean Europe\/Berlin/);
  assert.match(mistakeText(await peer.call("now", { timezone: "Mars/Olympus" })), /not an IANA time zone; use a name/);
});

test("demo clock: add counts in calendar months and exact hours", async () => {
  await using peer = new DemoPeer("clock");
  const cases: readonly (readonly [string, string, string])[] = [
    ["2031-01-31", "P1M", "2031-02-28T00:00:00.000Z"],
    ["2028-02-29T12:00:00Z", "P1Y", "2029-02-28T12:00:00.000Z"],
    ["2031-03-31", "-P1M", "2031-02-28T00:00:00.000Z"],
    ["2031-01-15", "-P14M", "2029-11-15T00:00:00.000Z"],
    ["2031-01-01T00:30:00+01:00", "PT90M", "2031-01-01T01:00:00.000Z"],
    ["1969-12-31T23:00:00Z", "P1W1DT0.5S", "1970-01-08T23:00:00.500Z"],
    ["0050-01-31", "P1M", "0050-02-28T00:00:00.000Z"],
  ];
  for (const [date, duration, result] of cases) {
    assert.equal(structuredOf(await peer.call("add", { date, duration }))["result"], result, `${date} ${duration}`);
  }
  for (const date of ["", "tomorrow", "2031-02-29", "2031-13-01", "2031-01-01T25:00Z"]) {
    assert.match(mistakeText(await peer.call("add", { date, duration: "P1D" })), /is not a date/, date);
  }
  for (const duration of ["", "P", "PT", "P1DT", "1 day", "P1H"]) {
    assert.match(mistakeText(await peer.call("add", { date: "2031-01-01", duration })), /is not a duration/, duration);
  }
  assert.match(mistakeText(await peer.call("add", { date: "2031-01-01", duration: "P999999Y" })), /beyond/);
});
