// Who stays signed in on the page: nobody longer than what let them in, and whoever another gateway of the same user lets in.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Vault } from "../../lib/backend/vault.ts";
import { defaultPlan } from "../../lib/config/plan.ts";
import { anonymous, type Principal } from "../../lib/core/principal.ts";
import { type Footings, footingsOf } from "../../lib/front/footing.ts";
import { PageSessions } from "../../lib/front/page-session.ts";
import { authPlan, base, keyOf, type TestKey } from "./auth-kit.ts";
import { incomingOf } from "./exchange.ts";

interface Gateways extends Disposable {
  /** The page of one that lets in the holders of these keys. */
  readonly page: (...keys: readonly TestKey[]) => PageSessions;
  readonly pageOf: (footings: Footings) => PageSessions;
}

/** Gateways of one user. */
function gateways(): Gateways {
  const folder = mkdtempSync(join(tmpdir(), "page-session-"));
  const pageOf = (footings: Footings): PageSessions =>
    new PageSessions(new Vault(["a key"], folder), false, "/oauth", footings);
  return {
    page: (...keys) => pageOf(footingsOf({ ...defaultPlan([]), auth: authPlan({ keys }) })),
    pageOf,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const [ada, bob] = [keyOf("ada"), keyOf("bob")];
const holder = ({ name, expiresAt }: TestKey): Principal => ({
  ...anonymous,
  id: `key:${name}`,
  subject: name,
  expiresAt,
});

/** Who a page takes for the browser with this cookie. */
function whoIs(page: PageSessions, cookie: string): string | undefined {
  const request = incomingOf(new Request(base));
  request.head = { ...request.head, headers: new Map([["cookie", cookie]]) };
  return page.of(request).who?.subject;
}

test("page session: signing in at one gateway signs nobody out of another one", () => {
  using all = gateways();
  const [adas, bobs] = [all.page(ada), all.page(bob)];
  const { cookie } = adas.signIn(holder(ada));
  const { cookie: other } = bobs.signIn(holder(bob));
  assert.deepEqual([whoIs(adas, cookie), whoIs(adas, other)], ["ada", undefined]);
  assert.deepEqual([whoIs(bobs, cookie), whoIs(bobs, other)], [undefined, "bob"]);
});

test("page session: nobody is signed in whom nothing lets in", () => {
  using all = gateways();
  const page = all.pageOf(() => undefined);
  assert.equal(whoIs(page, page.signIn(holder(ada)).cookie), undefined);
});

test("page session: it goes on with a key that is good for longer, and not with one that is over", () => {
  using all = gateways();
  const dated = { ...ada, expiresAt: Date.now() + 3_600_000 };
  const { cookie } = all.page(dated).signIn(holder(dated));
  assert.equal(whoIs(all.page(ada), cookie), "ada");
  assert.equal(whoIs(all.page({ ...ada, expiresAt: Date.now() - 1 }), cookie), undefined);
  assert.equal(whoIs(all.page({ ...ada, groups: ["more"] }), cookie), undefined);
});
