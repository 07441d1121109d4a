// Rules: whom they are about, which one counts, and what is left to see.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyPlan, PolicyRulePlan, RolePlan } from "../../lib/config/rules-policy.ts";
import { anonymous, type Principal } from "../../lib/core/principal.ts";
import { encodeJson } from "../../lib/core/text.ts";
import type { Asked, Grants } from "../../lib/merge/grants.ts";
import { Policy } from "../../lib/merge/policy.ts";

const who = (more: Partial<Principal>): Principal => ({ ...anonymous, ...more });
const tool = (name: string, annotations: object = {}): Asked => ({
  kind: "tools",
  backend: "fs",
  name,
  tool: encodeJson({ name, annotations }),
});

function grants(
  rules: readonly PolicyRulePlan[],
  fallback: PolicyPlan["default"] = "deny",
  of: Principal = anonymous,
  roles: Readonly<Record<string, RolePlan>> = {},
): Grants {
  return new Policy({ default: fallback, roles, rules }).grantsOf(of);
}

const never = (): boolean => false;

test("policy: a role is whoever fits all that it names", () => {
  const roles: Readonly<Record<string, RolePlan>> = {
    key: { subjects: ["key:*"] },
    ops: { groups: ["ops", "admin"] },
    both: { scopes: ["a", "b"] },
    tenant: { claims: { "/org/id": ["acme*"], "/roles": ["writer"] } },
    opsKey: { subjects: ["key:*"], groups: ["ops"] },
    nobody: { groups: [] },
    everybody: {},
  };
  const has = (name: string, of: Principal): boolean =>
    grants([{ effect: "allow", roles: [name] }], "deny", of, roles).shows(tool("t"));
  const cases: readonly (readonly [role: string, of: Principal, is: boolean])[] = [
    ["key", who({ id: "key:ci" }), true],
    ["key", who({ id: "token:key:ci" }), false],
    ["ops", who({ groups: ["x", "admin"] }), true],
    ["ops", who({ groups: ["op"] }), false],
    ["both", who({ scopes: ["b", "a", "c"] }), true],
    ["both", who({ scopes: ["a"] }), false],
    ["tenant", who({ claims: { org: { id: "acme-1" }, roles: ["reader", "writer"] } }), true],
    ["tenant", who({ claims: { org: { id: "other" }, roles: ["writer"] } }), false],
    ["tenant", who({ claims: { roles: ["writer"] } }), false],
    ["opsKey", who({ id: "key:ci", groups: ["ops"] }), true],
    ["opsKey", who({ id: "key:ci" }), false],
    ["nobody", who({ groups: ["ops"] }), false],
    ["everybody", who({}), true],
  ];
  for (const [role, of, is] of cases) assert.equal(has(role, of), is, `${role} ${of.id}`);
});

test("policy: the first rule that fits counts, and the default where none does", () => {
  const rules: readonly PolicyRulePlan[] = [
    { effect: "deny", tools: ["delete_*"] },
    { effect: "allow", backends: ["f?"], tools: ["*_file"] },
    { effect: "confirm", tools: ["move"] },
    { effect: "allow", resources: ["file:///public/*"] },
  ];
  const some = grants(rules);
  const kinds = ["delete_file", "read_file", "move", "other"].map((name) => some.decide(tool(name), never));
  assert.deepEqual(kinds, [
    { kind: "deny", place: 0 },
    { kind: "allow", place: 1 },
    { kind: "confirm", place: 2 },
    { kind: "deny", place: undefined },
  ]);
  assert.equal(grants(rules, "allow").decide(tool("other"), never).kind, "allow");
  assert.equal(some.shows({ kind: "tools", backend: "git", name: "read_file" }), false);
  assert.equal(some.shows({ kind: "prompts", backend: "fs", name: "read_file" }), false);
  assert.deepEqual([some.isFree(tool("read_file")), some.isFree(tool("move"))], [true, false]);
});

test("policy: a path that leads elsewhere is not the one that is allowed", () => {
  const some = grants([{ effect: "allow", resources: ["file:///public/*"] }]);
  const shows = (name: string): boolean => some.shows({ kind: "resources", backend: "fs", name });
  for (const uri of ["file:///public/a", "file:///public/a%20b", "file:///public/./a", "file:///public/{name}"])
    assert.equal(shows(uri), true, uri);
  for (const uri of [
    "file:///public/../secret",
    "file:///public/%2e%2e/secret",
    "file:///public/%252e%252e%252fsecret",
    "file:///public/a/..\\..\\secret",
    "file:///public/..%2fsecret",
    "file:///secret",
  ])
    assert.equal(shows(uri), false, uri);
});

test("policy: annotations count as the protocol has them where a tool says nothing", () => {
  const some = grants([
    { effect: "deny", annotations: { destructiveHint: true, readOnlyHint: false } },
    { effect: "allow", tools: ["*"] },
  ]);
  assert.equal(some.shows(tool("says nothing")), false);
  assert.equal(some.shows(tool("safe", { destructiveHint: false })), true);
  assert.equal(some.shows(tool("reads", { readOnlyHint: true })), true);
  assert.equal(some.shows(tool("lies", { readOnlyHint: "true" })), false);
  assert.equal(some.isFree(tool("reads", { readOnlyHint: true })), false);
});

test("policy: what arguments decide is seen where some of them are allowed", () => {
  const within = { "/path": { type: "string", pattern: "^/tmp/" } };
  const only = grants([{ effect: "allow", tools: ["write"], arguments: within }]);
  assert.equal(only.shows(tool("write")), true);
  assert.equal(only.decide(tool("write"), () => true).kind, "allow");
  assert.equal(only.decide(tool("write"), never).kind, "deny");
  const but = grants([{ effect: "deny", arguments: within }, { effect: "allow" }]);
  assert.equal(but.shows(tool("write")), true);
  assert.equal(but.decide(tool("write"), () => true).kind, "deny");
  const none = grants([{ effect: "deny", arguments: within }, { effect: "deny" }, { effect: "allow" }]);
  assert.equal(none.shows(tool("write")), false);
});

test("policy: scopes that a rule needs are named, all of them", () => {
  const rules: readonly PolicyRulePlan[] = [{ effect: "allow", tools: ["write"], scopes: ["a", "b"] }];
  const some = grants(rules, "deny", who({ scopes: ["a"] }));
  assert.equal(some.shows(tool("write")), true);
  assert.deepEqual(some.decide(tool("write"), never), { kind: "scopes", place: 0, scopes: ["a", "b"] });
  assert.equal(grants(rules, "deny", who({ scopes: ["b", "a"] })).decide(tool("write"), never).kind, "allow");
});

test("policy: principals with the same rights share them, and no others do", () => {
  const rules: readonly PolicyRulePlan[] = [
    { effect: "allow", roles: ["ops"] },
    { effect: "allow", scopes: ["a"] },
  ];
  const policy = new Policy({ default: "deny", roles: { ops: { groups: ["ops"] } }, rules });
  const [ada, bob, eve] = [who({ id: "a", groups: ["ops"] }), who({ id: "b", groups: ["ops", "x"] }), who({ id: "c" })];
  assert.equal(policy.grantsOf(ada), policy.grantsOf(bob));
  assert.notEqual(policy.grantsOf(ada), policy.grantsOf(eve));
  assert.notEqual(policy.grantsOf(eve), policy.grantsOf(who({ scopes: ["a"] })));
});

test("policy: a backend of which nothing is allowed is not there", () => {
  const reaches = (rules: readonly PolicyRulePlan[], fallback?: PolicyPlan["default"]): boolean =>
    grants(rules, fallback).reaches("fs");
  assert.equal(reaches([]), false);
  assert.equal(reaches([], "allow"), true);
  assert.equal(reaches([{ effect: "allow", backends: ["git"] }]), false);
  assert.equal(reaches([{ effect: "confirm", backends: ["fs"], tools: ["a"] }]), true);
  assert.equal(reaches([{ effect: "deny", backends: ["fs"] }, { effect: "allow" }], "allow"), false);
  assert.equal(reaches([{ effect: "deny", backends: ["fs"], tools: ["*"] }], "allow"), true);
});
