// Where a backend is: unix sockets, and the certificates that are accepted.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createFolder, planIn, planOf, problemsOf } from "./kit.ts";

test("address: a unix socket is a URL like any other", async () => {
  for (const url of ["unix:/run/mcp.sock", "unix:/run/mcp.sock:/mcp?a=b", "unix:///run/mcp.sock:/mcp"]) {
    const plan = await planOf("mcpctl.yaml", `backends: { a: { url: "${url}", headers: { X: y } } }`);
    assert.deepEqual(plan.backends[0]?.replicas, [{ kind: "http", url: new URL(url).href, headers: { X: "y" } }]);
  }
  for (const url of ["unix:mcp.sock", "unix://mcp.sock", "unix:/run/mcp.sock:mcp", "unix:"]) {
    const problems = await problemsOf("mcpctl.yaml", `backends: { a: { url: "${url}" } }`);
    assert.deepEqual(
      problems.map(({ message }) => message),
      ["backends.a.url names no file; write it like unix:/run/mcp.sock or unix:/run/mcp.sock:/mcp"],
      url,
    );
  }
});

test("address: tls belongs to a url, and its file is looked for beside the config", async () => {
  using folder = createFolder({
    "mcpctl.yaml":
      "backends: { a: { url: https://h/, tls: { ca: certs/ca.pem } }, b: { url: https://h/, tls: { insecure: true } } }",
  });
  const { backends } = planIn(await folder.load());
  assert.deepEqual(
    backends.map(({ replicas }) => replicas[0]?.kind === "http" && replicas[0].tls),
    [
      { ca: join(folder.path, "certs/ca.pem"), insecure: false },
      { ca: undefined, insecure: true },
    ],
  );
  const problems = await problemsOf(
    "mcpctl.yaml",
    "backends: { a: { command: x, tls: { insecure: true } }, b: { url: https://h/, tls: { cert: x } } }",
  );
  assert.deepEqual(
    problems.map(({ message }) => message),
    ['backends.a has "tls", which belongs to "url"', 'unknown key "cert" in backends.b.tls'],
  );
});
