// Tokens that are not signed: the issuer is asked, not too often, and not believed for long.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { audience, authPlan, keyOf, knock, refusedWith, startProtected } from "./auth-kit.ts";

test("introspection: one that is not signed is looked up, and what is not active is not asked about again", async () => {
  const introspection = { clientId: "gateway", clientSecret: "s:cret" };
  await using all = await startProtected({ introspection });
  const { authority, bench } = all;
  authority.opaque.set("good", { sub: "ada", aud: audience, scope: "a" });
  authority.opaque.set("other", { sub: "ada", aud: "https://other.example" });
  authority.opaque.set("past", { sub: "ada", aud: audience, exp: 1 });
  authority.opaque.set("foreign", { sub: "ada", aud: audience, iss: "https://issuer.example" });
  for (let times = 0; times < 3; times += 1) {
    assert.equal((await knock(bench, "good")).status, 200);
    for (const wrong of ["other", "past", "foreign", "unknown"]) await refusedWith(bench, wrong, wrong);
  }
  assert.equal(authority.count("/introspect"), 5);
});

test("introspection: whoever is looked up while the config changes is judged by the new one", async () => {
  await using all = await startProtected({ introspection: { clientId: "gateway", clientSecret: "s:cret" } });
  const { authority, bench } = all;
  authority.opaque.set("good", { sub: "ada", aud: audience });
  const [asked, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  authority.before = async (path) => {
    if (path !== "/introspect") return;
    asked.resolve();
    await held.promise;
  };
  const answer = knock(bench, "good");
  await asked.promise;
  await bench.gateway.apply({ ...bench.gateway.plan, auth: authPlan({ keys: [keyOf("eve")] }) });
  held.resolve();
  assert.equal((await answer).status, 401);
});

test("introspection: what was looked up is believed for a minute, so that a revoked token ends", async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    await using all = await startProtected({ introspection: { clientId: "gateway", clientSecret: "s:cret" } });
    all.authority.opaque.set("good", { sub: "ada", aud: audience, exp: Math.floor(Date.now() / 1000) + 3600 });
    assert.equal((await knock(all.bench, "good")).status, 200);
    all.authority.opaque.clear();
    mock.timers.setTime(Date.now() + 61_000);
    assert.equal((await knock(all.bench, "good")).status, 401);
  } finally {
    mock.timers.reset();
  }
});
