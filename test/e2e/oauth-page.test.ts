// `/oauth` in headless Chromium: somebody signs in to the gateway, then to a backend, and ends it; on a desk and on a phone.
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createApiKey, hashApiKey } from "../../lib/core/api-key.ts";
import { hasChromium } from "../kit/chromium.ts";
import { ChromiumSession } from "../kit/chromium-session.ts";
import { startOAuthWorld } from "../kit/oauth-world.ts";
import { fixtureStdio, Gateway } from "./kit.ts";

const limits = { timeout: 180_000, skip: !hasChromium };
/** Where pictures are put for people who look at them. */
const pictures = process.env["PICTURES"];

async function assertFits(chromium: ChromiumSession, name: string): Promise<void> {
  for (const [width, height, isDark] of [
    [1280, 900, false],
    [375, 800, false],
    [375, 800, true],
  ] as const) {
    await chromium.window(width, height, isDark);
    const { violations, overflow } = await chromium.look();
    assert.deepEqual(violations, [], `${name} at ${width}`);
    assert.ok(overflow <= 0, `${name} is ${overflow} px wider than ${width}`);
    const about = `${name}-${width}${isDark ? "-dark" : ""}.png`;
    if (pictures !== undefined) await chromium.picture(join(pictures, about));
  }
  await chromium.window(1280, 900);
}

test("oauth page: driven in Chromium from the key to the end of the login, fit for everybody", limits, async () => {
  await using world = await startOAuthWorld();
  const key = createApiKey();
  await using gateway = await Gateway.start({
    auth: { keys: { ada: { hash: `sha256:${hashApiKey(key)}` } } },
    backends: {
      wiki: { url: world.resource.url, auth: "oauth" },
      "a-long-name-of-a-calendar-server": {
        url: "http://127.0.0.1:9/mcp",
        auth: { grant: "authorization_code", shared: true },
      },
      local: fixtureStdio(),
    },
  });
  await using chromium = await ChromiumSession.start();
  await chromium.window(1280, 900);
  const text = async (): Promise<string> => String(await chromium.read("document.body.innerText"));
  await chromium.open(`${new URL(gateway.url()).origin}/oauth?backend=wiki`);
  assert.match(await text(), /Sign in to the gateway/);
  await assertFits(chromium, "key");
  await chromium.read(`document.querySelector("#key").value = ${JSON.stringify(key)}`);
  await chromium.press("form button");
  assert.match(await text(), /You are ada\.[^]*wiki\s+not signed in/);
  await assertFits(chromium, "list");
  await chromium.press('#b-wiki form[action="/oauth/start"] button');
  assert.match(await text(), /You go on to 127\.0\.0\.1:\d+/);
  await assertFits(chromium, "consent");
  await chromium.press('a.button[href*="/auth?"]');
  assert.match(await text(), /You are signed in to wiki\.[^]*wiki\s+signed in[^]*Rights\s+mcp/);
  assert.match(String(await chromium.read("location.href")), /\/oauth\?backend=wiki&done=login$/);
  await assertFits(chromium, "signed-in");
  await chromium.press('#b-wiki form[action="/oauth/renew"] button');
  assert.match(await text(), /The login at wiki was renewed\./);
  await chromium.press('#b-wiki form[action="/oauth/revoke"] button');
  assert.match(await text(), /The login at wiki is over\.[^]*wiki\s+not signed in/);
  await chromium.press('form[action="/oauth/signout"] button');
  assert.match(await text(), /Sign in to the gateway/);
  assert.equal(await chromium.read("document.cookie"), "");
});
