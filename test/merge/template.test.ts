// URI templates as patterns: the examples of RFC 6570 match what they expand to, and no template can hang the process.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { templateMatcher } from "../../lib/merge/template.ts";

const matches = (template: string, uri: string): boolean => templateMatcher(template)(uri);

/** RFC 6570, 1.2 and 3.2.2 to 3.2.9: template and expansion. */
const examples: readonly (readonly [string, string])[] = [
  ["{var}", "value"],
  ["{hello}", "Hello%20World%21"],
  ["{half}", "50%25"],
  ["O{empty}X", "OX"],
  ["O{undef}X", "OX"],
  ["?{x,empty}", "?1024,"],
  ["map?{x,y}", "map?1024,768"],
  ["{x,hello,y}", "1024,Hello%20World%21,768"],
  ["{var:3}", "val"],
  ["{list*}", "red,green,blue"],
  ["{keys}", "semi,%3B,dot,.,comma,%2C"],
  ["{+hello}", "Hello%20World!"],
  ["{base}index", "http%3A%2F%2Fexample.com%2Fhome%2Findex"],
  ["{+base}index", "http://example.com/home/index"],
  ["O{+empty}X", "OX"],
  ["{+path}/here", "/foo/bar/here"],
  ["here?ref={+path}", "here?ref=/foo/bar"],
  ["up{+path}{var}/here", "up/foo/barvalue/here"],
  ["{+x,hello,y}", "1024,Hello%20World!,768"],
  ["{+path,x}/here", "/foo/bar,1024/here"],
  ["{#var}", "#value"],
  ["foo{#empty}", "foo#"],
  ["foo{#undef}", "foo"],
  ["{#path,x}/here", "#/foo/bar,1024/here"],
  ["{#path:6}here", "#/foo/bhere"],
  ["{.who}", ".fred"],
  ["{.half,who}", ".50%25.fred"],
  ["www{.dom*}", "www.example.com"],
  ["X{.empty_keys}", "X"],
  ["{/var}", "/value"],
  ["{/who,who}", "/fred/fred"],
  ["{/half,who}", "/50%25/fred"],
  ["{/var,empty}", "/value/"],
  ["{/var,x}/here", "/value/1024/here"],
  ["{/list*,path:4}", "/red/green/blue/%2Ffoo"],
  ["{;x,y,empty}", ";x=1024;y=768;empty"],
  ["{;keys*}", ";semi=%3B;dot=.;comma=%2C"],
  ["{?x,y,undef}", "?x=1024&y=768"],
  ["{?list*}", "?list=red&list=green&list=blue"],
  ["?fixed=yes{&x}", "?fixed=yes&x=1024"],
  ["{&x,y,empty}", "&x=1024&y=768&empty="],
];

test("template: each example of RFC 6570 matches its expansion", () => {
  for (const [template, uri] of examples) assert.ok(matches(template, uri), `${template} → ${uri}`);
});

test("template: what a template cannot make does not match", () => {
  const wrong: readonly (readonly [string, string])[] = [
    ["notes://{id}", "notes://a/b"],
    ["notes://{id}", "note://a"],
    ["notes://{id}/text", "notes://a"],
    ["notes://{id}", "notes://a?x=1"],
    ["notes://list{?q}", "notes://list#q"],
    ["notes://list{?q}", "notes://listq"],
    ["file:///{name}.txt", "file:///a.txtx"],
    ["www{.dom}", "wwwdom"],
    ["a.c{x}", "abc"],
    ["", "a"],
  ];
  for (const [template, uri] of wrong) assert.ok(!matches(template, uri), `${template} → ${uri}`);
});

test("template: a template without expressions makes itself alone, whatever it holds", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (template, other) => {
      fc.pre(!/\{[^{}]*\}/.test(template));
      assert.ok(matches(template, template));
      assert.equal(matches(template, other), template === other);
    }),
  );
});

test("template: expansions of simple variables match, wherever they stand", () => {
  const value = fc.stringMatching(/^[A-Za-z0-9_.~%-]{0,12}$/);
  const literal = fc.stringMatching(/^[a-z:/.?=]{0,8}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(literal, value), { maxLength: 6 }), literal, (parts, end) => {
      const template = `${parts.map(([text], at) => `${text}{v${at}}`).join("")}${end}`;
      const uri = `${parts.map(([text, expanded]) => text + expanded).join("")}${end}`;
      assert.ok(matches(template, uri), `${template} → ${uri}`);
    }),
  );
});

test("template: a hostile template costs milliseconds, not hours", () => {
  const startedAt = Date.now();
  assert.ok(!matches(`x${"{+a}".repeat(50)}y`, `x${"a".repeat(5_000)}`));
  assert.ok(!matches(`${"{a}-".repeat(50)}!`, "-".repeat(5_000)));
  assert.ok(Date.now() - startedAt < 20_000);
});
