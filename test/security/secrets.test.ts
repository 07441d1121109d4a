// Secrets of the config and of clients: in no log, error, record, trace, page or metric, whatever fails, and whoever repeats them.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { createApiKey, hashApiKey } from "../../lib/core/api-key.ts";
import { Gateway, until } from "../e2e/kit.ts";
import { runtimeCommand, startProcess } from "../kit/process.ts";
import { type Json, KeyClient } from "./kit.ts";

const limits = { timeout: 120_000 };
const secrets = {
  child: "child-5ecret-7f3a91",
  flag: "flag-5ecret-0c44d2",
  header: "header-5ecret-b81f7e",
  query: "query-5ecret-4d0a6c",
  user: "user-5ecret-93be15",
  token: "token-5ecret-e2c708",
  client: "client-5ecret-61d9fa",
  seal: "seal-5ecret-aa07b3-and-long-enough",
  forwarded: "forwarded-5ecret-3e88d1",
  argument: "argument-5ecret-d517c9",
};

/** Answers with everything that it was sent, in every way in which a server fails. */
async function serveEcho(): Promise<AsyncDisposable & { readonly url: string }> {
  let count = 0;
  const server = createServer((request, response) => {
    const said = JSON.stringify([request.headers, request.url]);
    const statuses = [500, 401, 403, 400, 502, 404];
    const status = statuses[count++ % statuses.length] ?? 500;
    response.writeHead(status, {
      "content-type": "text/plain",
      "www-authenticate": `Bearer realm=${said.slice(0, 900)}`,
    });
    response.end(said);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function leaksIn(text: string, more: readonly string[] = []): readonly string[] {
  return [...Object.values(secrets), ...more].filter((secret) => text.includes(secret));
}

test("secrets: whatever fails, and whoever repeats them, they are shown nowhere", limits, async () => {
  await using echo = await serveEcho();
  const [command, args] = runtimeCommand("test/security/leaky-server.ts");
  const env = { CHILD_SECRET: secrets.child };
  const flags = ["--api-key", secrets.flag, `--token=${secrets.flag}`];
  const withQuery = `${echo.url}?api_key=${secrets.query}`;
  const key = createApiKey();
  const child = (more: readonly string[]): Json => ({ command, args: [...args, ...flags, ...more], env });
  const backends = {
    leaky: child([]),
    dead: child(["die"]),
    header: { url: withQuery, headers: { authorization: `Bearer ${secrets.header}`, "x-api-key": secrets.header } },
    user: { url: echo.url.replace("://", `://me:${secrets.user}@`), forwardHeaders: ["x-secret"] },
    issuer: {
      url: echo.url,
      auth: { tokenUrl: echo.url, clientId: "gateway", clientSecret: secrets.client },
    },
  };
  await using gateway = await Gateway.start({
    auth: { keys: { ada: { hash: `sha256:${hashApiKey(key)}` } } },
    policy: { rules: [{ effect: "allow", methods: ["mcpctl/*"] }] },
    sealKeys: [secrets.seal],
    log: { format: "json", level: "debug", requests: "all" },
    audit: { file: "audit.ndjson" },
    backends,
  });
  await until(() => gateway.proc.stderr.includes('"backend":"leaky"'), "the child has begun");
  const ada = new KeyClient(gateway.url(), key);
  await until(async () => {
    const { json } = await ada.look("/health");
    return !JSON.stringify(json).includes('"connecting"');
  }, "every backend is up or down");
  const abort = new AbortController();
  const tail = await fetch(new URL("/admin/tail", gateway.url()), {
    headers: { authorization: `Bearer ${key}` },
    signal: abort.signal,
  });
  const reader = tail.body?.getReader();
  await ada.initialize();
  const shown: string[] = [];
  const named = { secret: secrets.argument, password: secrets.argument };
  for (const name of ["leaky__die", "dead__x", "header__x", "user__x", "issuer__x"]) {
    const body = { jsonrpc: "2.0", id: name, method: "tools/call", params: { name, arguments: named } };
    const answer = await ada.post(body, { "x-secret": secrets.forwarded });
    shown.push(`${name}: ${answer.text}`);
  }
  shown.push(`list: ${await ada.request("tools/list")}`);
  const { value } = (await reader?.read()) ?? {};
  shown.push(`tail: ${new TextDecoder().decode(value)}`);
  for (const path of ["/health", "/why", "/metrics", "/"]) shown.push(`${path}: ${(await ada.look(path)).text}`);
  abort.abort();
  const audit = join(gateway.folder, "audit.ndjson");
  await until(() => readFileSync(audit, "utf8").includes("leaky__die"), "the audit log has the call");
  shown.push(`audit: ${readFileSync(audit, "utf8")}`);
  shown.push(`log: ${gateway.proc.stderr}${gateway.proc.stdout}`);
  // What could have said them was said.
  assert.match(shown.join("\n"), /leaky__die: .*exited with code 3.*it said: given CHILD_SECRET=•••/);
  for (const text of shown) assert.deepEqual(leaksIn(text, [key]), [], text.slice(0, 3_000));
});

test("secrets: no command shows them", limits, async () => {
  await using echo = await serveEcho();
  const [command, args] = runtimeCommand("test/security/leaky-server.ts");
  const config = {
    backends: {
      leaky: { command, args: [...args, "--api-key", secrets.flag], env: { CHILD_SECRET: secrets.child } },
      header: { url: `${echo.url}?api_key=${secrets.query}`, headers: { authorization: `Bearer ${secrets.header}` } },
    },
    sealKeys: [secrets.seal],
  };
  await using gateway = await Gateway.start({ backends: {} });
  const file = join(gateway.folder, "with-secrets.json");
  writeFileSync(file, JSON.stringify(config));
  const show = async (words: readonly string[]): Promise<void> => {
    const proc = startProcess(...runtimeCommand("cli/main.ts", ...words));
    const { code } = await proc.exited;
    const said = `${words.join(" ")} (${code}): ${proc.stdout}${proc.stderr}`;
    assert.notEqual(code, 70, said);
    assert.deepEqual(leaksIn(said.replaceAll(file, "")), [], said);
  };
  const all = [
    ["probe", "-c", file, "--trace", "--deep"],
    ["probe", "-c", file, "-o", "json"],
    ["call", "-c", file, "leaky/die", "--trace", "--no-input"],
    ["explain", "-c", file],
    ["config", "view", "-c", file],
    ["validate", "-c", file, "--online"],
  ];
  await Promise.all(all.map(show));
});
