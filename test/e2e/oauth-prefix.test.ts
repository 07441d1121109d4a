// The page for logins behind a proxy that gives the gateway a path of its own: links, cookies and the way back are below it.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { Browser } from "../kit/browser.ts";
import { signIn, startOAuthWorld } from "../kit/oauth-world.ts";
import { listenOn } from "../kit/oauth-provider.ts";
import { call, callText, errorOf, Gateway } from "./kit.ts";

const prefix = "/tools/gateway";

test("oauth: somebody signs in below the path of publicUrl", { timeout: 120_000 }, async () => {
  await using world = await startOAuthWorld();
  const place = { gateway: "" };
  const cookies: string[] = [];
  const outside: string[] = [];
  const proxy = createServer((request, response) => {
    void (async () => {
      const path = request.url ?? "";
      if (!path.startsWith(`${prefix}/`)) {
        outside.push(path);
        return void response.writeHead(404).end();
      }
      const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
        typeof value === "string" && !["connection", "content-length"].includes(name) ? [[name, value]] : [],
      );
      const body = Buffer.concat(await Array.fromAsync(request));
      const { method = "GET" } = request;
      const answer = await fetch(new URL(path.slice(prefix.length), place.gateway), {
        method,
        headers,
        redirect: "manual",
        ...(method === "POST" ? { body: new Uint8Array(body) } : {}),
      });
      cookies.push(...answer.headers.getSetCookie());
      const shown = ["content-type", "location", "set-cookie"].flatMap((name) => {
        const value = answer.headers.get(name);
        return value === null ? [] : [[name, value] as const];
      });
      response.writeHead(answer.status, Object.fromEntries(shown)).end(Buffer.from(await answer.arrayBuffer()));
    })().catch(() => response.destroy());
  });
  const origin = await listenOn(proxy);
  try {
    const base = `${origin}${prefix}`;
    await using gateway = await Gateway.start({
      publicUrl: `${base}/`,
      backends: { b: { url: world.resource.url, auth: "oauth" } },
    });
    place.gateway = new URL(gateway.url()).origin;
    const client = await gateway.client();
    assert.match(
      errorOf(await call(client, "b__echo", { text: "x" })).message,
      new RegExp(`open ${base}/oauth\\?backend=b,`),
    );
    const page = await signIn(new Browser(), base, "b");
    assert.equal(page.url.href, `${base}/oauth?backend=b&done=login`, page.html);
    assert.match(page.html, /You are signed in to b\./);
    assert.ok(cookies.length > 0 && cookies.every((each) => each.includes(`; Path=${prefix}/oauth;`)), cookies.join());
    assert.deepEqual(outside, []);
    assert.match(await callText(client, "b__echo", { text: "signed in" }), /signed in/);
  } finally {
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  }
});
