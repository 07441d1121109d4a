// The status page in headless Chromium: what it shows, how soon, to whom, and that it asks nothing of anybody else.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { hasChromium } from "../kit/chromium.ts";
import { ChromiumSession } from "../kit/chromium-session.ts";
import { startHttpServer } from "../kit/process.ts";
import { callText, fixtureStdio, Gateway } from "./kit.ts";

const limits = { timeout: 120_000, skip: !hasChromium };

function rootOf(gateway: Gateway): string {
  return new URL("/", gateway.url()).href;
}

test("page: shows backends, calls and the catalog, and soon that a backend is gone", limits, async () => {
  await using server = await startHttpServer();
  await using gateway = await Gateway.start({ backends: { near: fixtureStdio(), far: { url: server.url } } });
  await gateway.up("near", "far");
  const client = await gateway.client();
  // A name that no backend lists, or none has listed yet, is not one of a tool in what is measured.
  await client.request("tools/list");
  await callText(client, "near__echo", { said: "once" });
  await callText(client, "far__echo", { said: "twice" });

  await using browser = await ChromiumSession.start();
  await browser.open(rootOf(gateway));
  await browser.says("#overall", /^ok$/);
  await browser.says("#backends li:nth-child(1) h3", /^near$/);
  await browser.says("#backends li:nth-child(2) h3", /^far$/);
  await browser.says("#slowest", /near__echo/);
  await browser.says("#calls", /far__echo/);

  await browser.page.click("#catalog summary");
  await browser.says("#count", /^\d+ of \d+, about \d+ tokens/);
  await browser.page.type("#search", "near__ec");
  await browser.says("#count", /^1 of /);
  await browser.says("#items", /^near__echo/);

  const killedAt = performance.now();
  server.proc.kill("SIGKILL");
  await browser.says("#backends li:nth-child(2) .chip", /reconnecting|unavailable/);
  console.log(`the page says after ${Math.round(performance.now() - killedAt)} ms that a backend was killed`);
  await browser.says("#backends li:nth-child(2) .error", /E\d{4}: .*To do: /);
  await browser.says("#overall", /^degraded$/);
  assert.deepEqual(browser.complaints, []);
  assert.deepEqual([...browser.origins], [new URL(gateway.url()).origin]);
});

test("page: is used by keyboard alone, read by machines, and fits a phone", limits, async () => {
  await using gateway = await Gateway.start({ backends: { near: fixtureStdio() } });
  await gateway.up("near");
  await callText(await gateway.client(), "near__echo", { said: "once" });
  await using browser = await ChromiumSession.start();
  const { page } = browser;
  for (const width of [1200, 390]) {
    await browser.window(width, 900);
    await browser.open(rootOf(gateway));
    await browser.says("#calls", /near__echo/);
    // Through the page by Tab until the catalog has the focus, and into it.
    const isThere = `document.activeElement?.textContent === "Catalog"`;
    for (let tries = 0; tries < 40 && !(await browser.read(isThere)); tries += 1) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await browser.says("#count", /tokens/);
    await page.keyboard.press("Tab");
    await page.keyboard.type("near__ec");
    await browser.says("#count", /^1 of /);
    for (const isDark of [false, true]) {
      await browser.window(width, 900, isDark);
      assert.deepEqual(await browser.look(), { violations: [], overflow: 0 }, `${width} px`);
    }
  }
  assert.deepEqual(browser.complaints, []);
});

test("page: with auth it shows nothing before a key is shown, and only to those who may see it", limits, async () => {
  const keyOf = (key: string): object => ({ hash: `sha256:${createHash("sha256").update(key).digest("hex")}` });
  await using gateway = await Gateway.start({
    backends: { near: fixtureStdio() },
    auth: { keys: { ada: keyOf("the-key-of-ada"), bob: keyOf("the-key-of-bob") } },
    policy: {
      roles: { bob: { subjects: ["key:bob"] } },
      rules: [{ effect: "deny", roles: ["bob"], methods: ["mcpctl/watch"] }],
    },
  });
  await using browser = await ChromiumSession.start();
  await browser.open(rootOf(gateway));
  const show = async (key: string): Promise<void> => {
    await browser.page.waitForSelector("#signin:not([hidden])");
    await browser.page.type("#key", key);
    await browser.page.keyboard.press("Enter");
  };
  await show("no-such-key");
  await browser.says("#notice", /not known/);
  await show("the-key-of-bob");
  await browser.says("#notice", /nothing at/);
  assert.equal((await browser.page.content()).includes("near"), false);
  await show("the-key-of-ada");
  await browser.says("#backends h3", /near/);
});

test("page: without auth it is for this machine alone, and it is only read", { timeout: 120_000 }, async () => {
  await using gateway = await Gateway.start({ backends: {} });
  const root = rootOf(gateway);
  const shell = await fetch(root);
  assert.equal(shell.status, 200);
  assert.match(shell.headers.get("content-security-policy") ?? "", /^default-src 'none'; script-src 'sha256-/);
  assert.equal((await fetch(new URL("/page/live", root), { method: "POST" })).status, 405);
  assert.equal((await fetch(root, { headers: { origin: "https://example.com" } })).status, 403);
});
