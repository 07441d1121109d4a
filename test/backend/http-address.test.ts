// What a backend's address and its tls settings lead to, from the plan to the wire.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openHttp } from "../../lib/backend/http.ts";
import type { HttpReplicaPlan, TlsPlan } from "../../lib/config/plan.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { encodeText } from "../../lib/core/text.ts";
import { localhostCert } from "../fixtures/localhost.ts";
import { response, serveRaw } from "./raw-server.ts";

/** Makes one call; gives its messages, or its failure. */
async function call(url: string, tls?: TlsPlan): Promise<string[] | GatewayError> {
  const messages: string[] = [];
  const replica: HttpReplicaPlan = { kind: "http", url, headers: {}, ...(tls === undefined ? {} : { tls }) };
  try {
    const wire = openHttp(
      { backend: "b", replica, connectMs: 2_000, maxMessageBytes: 1_000_000, stray: () => {} },
      {
        message: (bytes) => void messages.push(Buffer.from(bytes).toString()),
        waiting: () => messages.length === 0,
        congestion: () => undefined,
        paused: () => {},
        retired: () => {},
        closed: () => {},
      },
    );
    try {
      await wire.send(encodeText('{"jsonrpc":"2.0","id":1,"method":"x"}'), 1, new Scope());
    } finally {
      await wire.close();
    }
    return messages;
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    return error;
  }
}

const json = "Content-Type: application/json";

test("http: a backend on a unix socket is called at its path, and where that redirects to", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mcpctl-"));
  try {
    const paths: string[] = [];
    const socketPath = join(folder, "s.sock");
    await using server = await serveRaw(
      ({ path }, socket) => {
        paths.push(path);
        if (path.endsWith("/")) socket.write(response("{}", json));
        else if (path === "/away")
          socket.write("HTTP/1.1 307 x\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n");
        else socket.write(`HTTP/1.1 307 x\r\nLocation: ${path}/\r\nContent-Length: 0\r\n\r\n`);
      },
      { socketPath },
    );
    assert.deepEqual(await call(`unix:${socketPath}:/mcp`), ["{}"]);
    assert.deepEqual(await call(`unix:${socketPath}`), ["{}"]);
    assert.ok((await call(`unix:${socketPath}:/away`)) instanceof GatewayError);
    assert.deepEqual(paths, ["/mcp", "/mcp/", "/", "/away"]);
    assert.equal(server.accepted, 3);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("http: tls.ca trusts what its file holds, tls.insecure everything, and a file that is not there is named", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mcpctl-"));
  try {
    const ca = join(folder, "ca.pem");
    writeFileSync(ca, localhostCert);
    await using server = await serveRaw((_request, socket) => socket.write(response("{}", json)), { secure: true });
    const url = `https://localhost:${server.port}/mcp`;
    assert.deepEqual(await call(url, { ca, insecure: false }), ["{}"]);
    assert.deepEqual(await call(url, { ca: undefined, insecure: true }), ["{}"]);
    for (const [tls, words] of [
      [undefined, /has a certificate that is not trusted/],
      [{ ca: undefined, insecure: false }, /has a certificate that is not trusted/],
      [{ ca: join(folder, "none.pem"), insecure: false }, /tls\.ca cannot be read from .*none\.pem \(ENOENT\)/],
    ] as const) {
      const error = await call(url, tls);
      assert.ok(error instanceof GatewayError);
      assert.deepEqual([error.code, error.data["sent"]], ["unreachable", false]);
      assert.match(error.message, words);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
