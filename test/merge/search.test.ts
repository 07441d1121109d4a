// Search over 300 tool definitions of public servers: the right tool is among the first five.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Searched, SearchIndex } from "../../lib/merge/search.ts";
import { heldOut, type Question, tuned } from "../fixtures/tool-questions.ts";

const file = join(import.meta.dirname, "../fixtures/tools.json");
const { servers } = JSON.parse(readFileSync(file, "utf8")) as {
  servers: Readonly<Record<string, readonly { readonly name: string }[]>>;
};
const tools: readonly Searched[] = Object.entries(servers).flatMap(([server, all]) =>
  all.map((tool): Searched => [`${server}__${tool.name}`, tool]),
);

test("search: finds the right tool in the first five for nine of ten questions", () => {
  assert.equal(tools.length, 300);
  const index = new SearchIndex(tools);
  const known = new Set(tools.map(([name]) => name));
  const missed = (questions: readonly Question[]): readonly Question[] => {
    assert.equal(questions.length, 25);
    assert.ok(questions.every(([, right]) => right.every((name) => known.has(name))));
    return questions.filter(([question, right]) => !index.find(question, 5).some(({ name }) => right.includes(name)));
  };
  const [tunedMissed, heldOutMissed] = [missed(tuned), missed(heldOut)];
  const found = 50 - tunedMissed.length - heldOutMissed.length;
  console.log(
    `found ${found} of 50: ${25 - tunedMissed.length} of 25 tuned, ${25 - heldOutMissed.length} of 25 held out`,
  );
  assert.ok(found >= 45, JSON.stringify([tunedMissed, heldOutMissed], null, 1));
});

test("search: a word of another form, of the same meaning or of the schema is enough, and order does not matter", () => {
  const index = new SearchIndex([
    ["a__createInvoice", { description: "Creates an invoice." }],
    [
      "b__list_events",
      { description: "Lists events.", inputSchema: { properties: { calendarId: { type: "string" } } } },
    ],
    ["c__noop", {}],
    ["d__remove_branch", { title: "Remove a branch", inputSchema: { properties: { kind: { enum: ["merged"] } } } }],
  ]);
  const first = (query: string): string | undefined => index.find(query, 5)[0]?.name;
  assert.equal(first("creating invoices"), "a__createInvoice");
  assert.equal(first("add a bill"), "a__createInvoice");
  assert.equal(first("my calendar"), "b__list_events");
  assert.equal(first("delete merged branches"), "d__remove_branch");
  assert.equal(first("branches merged delete"), "d__remove_branch");
  assert.deepEqual(index.find("zebra", 5), []);
  assert.deepEqual(index.find("", 5), []);
  assert.deepEqual(new SearchIndex([]).find("create", 5), []);
});
