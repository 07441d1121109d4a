// The demo backend "notes": pages, subscriptions, search, and notes that a client adds.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CallToolResultSchema,
  CompleteResultSchema,
  ListResourcesResultSchema,
  ListResourceTemplatesResultSchema,
  ReadResourceResultSchema,
  ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { builtInNotes } from "../../lib/ops/demo-library.ts";
import { DemoPeer, member, type Message, mistakeText } from "../kit/demo-peer.ts";

/** All pages of the notes, as lists of URIs. */
async function listPages(
  peer: DemoPeer,
  between: (page: number) => Promise<unknown> = async () => {},
): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = ListResourcesResultSchema.parse(await peer.result("resources/list", { cursor }));
    pages.push(page.resources.map((resource) => resource.uri));
    cursor = page.nextCursor;
    if (cursor !== undefined) await between(pages.length);
  } while (cursor !== undefined && pages.length < 20);
  return pages;
}

test("demo notes: the list comes in pages of ten, each note once, and each can be read", async () => {
  await using peer = new DemoPeer("notes");
  const pages = await listPages(peer);
  assert.ok(pages.slice(0, -1).every((page) => page.length === 10));
  const uris = pages.flat();
  assert.ok(uris.length >= 25);
  assert.equal(uris.length, builtInNotes.length);
  assert.equal(new Set(uris).size, uris.length);
  const texts = new Set<string>();
  for (const uri of uris) {
    const [content] = ReadResourceResultSchema.parse(await peer.result("resources/read", { uri })).contents;
    assert.ok(content && "text" in content && content.mimeType === "text/markdown" && content.uri === uri);
    texts.add(content.text);
  }
  assert.equal(texts.size, uris.length);
});

test("demo notes: a note added between two pages neither repeats nor hides another", async () => {
  await using peer = new DemoPeer("notes");
  const before = (await listPages(peer)).flat();
  const during = await listPages(peer, (page) => peer.call("add_note", { title: `AA ${page}`, body: "First of all." }));
  assert.deepEqual(during.flat(), before);
  assert.equal((await listPages(peer)).flat().length, before.length + during.length - 1);
});

test("demo notes: an unknown note is -32002 with its URI", async () => {
  await using peer = new DemoPeer("notes");
  const uri = "note://mcpctl/nope";
  for (const method of ["resources/read", "resources/subscribe"]) {
    const error = await peer.error(method, { uri });
    assert.equal(error["code"], -32002);
    assert.equal(member(error, "data")["uri"], uri);
  }
  assert.equal((await peer.error("resources/read", { uri: 1 }))["code"], -32602);
});

test("demo notes: add_note tells of the list, and of an update to who has subscribed", async () => {
  await using peer = new DemoPeer("notes");
  const uri = "note://mcpctl/my-first-note";
  const add = (body: string): Promise<Message> => peer.call("add_note", { title: "My first note!", body });
  const methods = (): unknown[] => peer.notified.splice(0).map((message) => message["method"]);
  CallToolResultSchema.parse(await add("one"));
  const [changed] = peer.notified;
  ResourceListChangedNotificationSchema.parse(changed);
  await peer.result("resources/subscribe", { uri });
  methods();
  await add("two");
  const updated = ResourceUpdatedNotificationSchema.parse(peer.notified[1]);
  assert.equal(updated.params.uri, uri);
  assert.deepEqual(methods(), ["notifications/resources/list_changed", "notifications/resources/updated"]);
  assert.match(JSON.stringify(await peer.result("resources/read", { uri })), /two/);
  await peer.result("resources/unsubscribe", { uri });
  await add("three");
  assert.deepEqual(methods(), ["notifications/resources/list_changed"]);
  assert.match(mistakeText(await peer.call("add_note", { title: "…", body: "x" })), /Latin letter/);
  assert.match(mistakeText(await peer.call("add_note", { title: "", body: "" })), /"title" must not be empty.*"body"/);
});

test("demo notes: the shelf has an end", async () => {
  await using peer = new DemoPeer("notes");
  for (let count = 0; count < 500; count++) await peer.call("add_note", { title: `n${count}`, body: "x" });
  assert.match(mistakeText(await peer.call("add_note", { title: "one more", body: "x" })), /full/);
  assert.notEqual((await peer.call("add_note", { title: "n7", body: "replaced" }))["isError"], true);
});

test("demo notes: search answers with links, best first, and as text where the revision has no links", async () => {
  await using peer = new DemoPeer("notes");
  const search = async (): Promise<string[]> => {
    const { content } = CallToolResultSchema.parse(await peer.call("search_notes", { query: "session", limit: 2 }));
    return content.slice(1).map((item) => (item.type === "resource_link" ? item.uri : item.type));
  };
  assert.equal((await search())[0], "note://mcpctl/sessions");
  await peer.initialize("2025-03-26");
  assert.ok((await search()).every((kind) => kind === "text"));
  await peer.initialize("2025-06-18");
  assert.equal((await search())[0], "note://mcpctl/sessions");
  const none = CallToolResultSchema.parse(await peer.call("search_notes", { query: "xyzzy" }));
  assert.match(JSON.stringify(none.content), /No note has/);
});

test("demo notes: the template is listed and its slug completed", async () => {
  await using peer = new DemoPeer("notes");
  const listed = ListResourceTemplatesResultSchema.parse(await peer.result("resources/templates/list"));
  const uri = listed.resourceTemplates[0]?.uriTemplate;
  assert.equal(uri, "note://mcpctl/{slug}");
  const params = { ref: { type: "ref/resource", uri }, argument: { name: "slug", value: "tool" } };
  const { completion } = CompleteResultSchema.parse(await peer.result("completion/complete", params));
  assert.deepEqual(completion.values, ["tool-annotations", "tool-errors", "tools"]);
  assert.equal(completion.hasMore, false);
  const wrong = { ...params, argument: { name: "slag", value: "" } };
  assert.equal((await peer.error("completion/complete", wrong))["code"], -32602);
});
