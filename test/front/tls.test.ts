// HTTPS at the front: certificates of clients as a way to sign in, and files that change while it runs.
import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, type ConnectionOptions } from "node:tls";
import type { AuthPlan } from "../../lib/config/auth.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { defaultPatience, type Patience } from "../../lib/front/patience.ts";
import { type Listener, listen } from "../../lib/listen.ts";
import { adaPair, authorityCert, bobPair, evePair, otherLocalhost, type Pair } from "../fixtures/certificates.ts";
import { localhostCert, localhostKey } from "../fixtures/localhost.ts";
import { TestAuthority } from "../kit/authority.ts";
import { issuerPlan, keyOf, startLocked } from "./auth-kit.ts";
import { type Bench, callMessage } from "./kit.ts";
import { Queue, within } from "./peer.ts";
import { Wire } from "./wire.ts";

interface Secure extends AsyncDisposable {
  readonly bench: Bench;
  readonly listener: Listener;
  readonly folder: string;
  readonly logged: Queue<string>;
}

async function serve(
  auth: Partial<AuthPlan>,
  patience: Patience = defaultPatience,
  maxConnections: number = Infinity,
): Promise<Secure> {
  const folder = mkdtempSync(join(tmpdir(), "tls-"));
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem"), clientCa: join(folder, "ca.pem") };
  writeFileSync(files.cert, localhostCert);
  writeFileSync(files.key, localhostKey);
  writeFileSync(files.clientCa, authorityCert);
  const bench = await startLocked(auth);
  const logged = new Queue<string>();
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handle: (request) => bench.gateway.handle(request),
    patience,
    maxConnections,
    tls: files,
    tlsCheckMs: 10,
    observer: { log: (level, _, text) => logged.push(`${level}: ${text}`) },
  });
  return {
    bench,
    listener,
    folder,
    logged,
    [Symbol.asyncDispose]: async () => {
      await bench[Symbol.asyncDispose]();
      await listener.close(true);
      rmSync(folder, { recursive: true });
    },
  };
}

/** A connection with a certificate of its own, or none. */
async function dial({ listener }: Secure, pair?: Pair, more: ConnectionOptions = {}): Promise<Wire> {
  const trust = { ca: [localhostCert, otherLocalhost.cert], servername: "localhost", ALPNProtocols: ["http/1.1"] };
  const socket = connect({ host: "127.0.0.1", port: Number(listener.url.port), ...trust, ...pair, ...more });
  const wire = new Wire(socket);
  await within(new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject)), "TLS");
  return wire;
}

const health = (token?: string): string =>
  `GET /health HTTP/1.1\r\nhost: localhost\r\n${token === undefined ? "" : `authorization: Bearer ${token}\r\n`}\r\n`;

/** What the gateway knows of a client: `200 peer`, or the status alone. */
async function known(secure: Secure, pair?: Pair, token?: string): Promise<string> {
  const wire = await dial(secure, pair);
  wire.socket.write(health(token));
  await wire.until(/^HTTP\/1\.1 \d+ [^]*\r\n\r\n\{.*\}/);
  wire.socket.destroy();
  const status = /^HTTP\/1\.1 (\d+)/.exec(wire.text)?.[1] ?? "";
  return wire.text.includes('"peer"') ? `${status} peer` : status;
}

test("tls: a certificate of the authority lets in, in its own name, and no other does", async () => {
  await using secure = await serve({ certificates: true });
  assert.equal(secure.listener.url.protocol, "https:");
  assert.deepEqual(
    [await known(secure, adaPair), await known(secure, bobPair), await known(secure, evePair), await known(secure)],
    ["200 peer", "200 peer", "200", "200"],
  );
  const wire = await dial(secure, evePair);
  wire.request("POST", { sessionId: undefined }, "{}");
  await wire.until(/^HTTP\/1\.1 401 /);
  wire.socket.destroy();
});

test("tls: a session of one certificate is not that of another, and calls go on over TLS", async () => {
  await using secure = await serve({ certificates: true });
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };
  const ada = await dial(secure, adaPair);
  ada.request("POST", { sessionId: "" }, JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }));
  await ada.until(/"result"/);
  const sessionId = /mcp-session-id: (\S+)/.exec(ada.text)?.[1];
  for (let id = 1; id <= 3; id += 1) {
    ada.request("POST", { sessionId }, JSON.stringify(callMessage(id)));
    (await secure.bench.peer.call()).reply(`${id} done`);
    await ada.until(new RegExp(`${id} done`));
  }
  const bob = await dial(secure, bobPair);
  bob.request("POST", { sessionId }, JSON.stringify(callMessage(9)));
  await bob.until(/^HTTP\/1\.1 404 /);
  for (const wire of [ada, bob]) wire.socket.destroy();
});

test("tls: a certificate is no way in where the config does not say so, and a key is one beside it", async () => {
  const key = keyOf("ada");
  await using secure = await serve({ keys: [key] });
  assert.deepEqual([await known(secure, adaPair), await known(secure, undefined, key.key)], ["200", "200 peer"]);
});

test("tls: a token that is bound to a certificate is good with that one alone", async () => {
  await using authority = await TestAuthority.start();
  await using secure = await serve({ issuers: [issuerPlan(authority, { audiences: ["gateway"] })] });
  const { X509Certificate } = await import("node:crypto");
  const { createHash } = await import("node:crypto");
  const thumbprint = createHash("sha256").update(new X509Certificate(adaPair.cert).raw).digest("base64url");
  const token = await authority.token("gateway", { claims: { cnf: { "x5t#S256": thumbprint } } });
  assert.deepEqual(
    [await known(secure, adaPair, token), await known(secure, bobPair, token), await known(secure, undefined, token)],
    ["200 peer", "401", "401"],
  );
});

test("tls: new files are used for new connections, bad ones are not, and old connections go on", async () => {
  await using secure = await serve({ certificates: true });
  const { folder, logged } = secure;
  const shown = async (): Promise<string> => {
    const { socket } = await dial(secure, adaPair);
    const { fingerprint256 = "" } =
      "getPeerCertificate" in socket ? (socket.getPeerCertificate as () => { fingerprint256: string })() : {};
    socket.destroy();
    return fingerprint256;
  };
  const old = await dial(secure, adaPair);
  const before = await shown();
  writeFileSync(join(folder, "key.pem"), otherLocalhost.key);
  assert.match(await logged.next("what became of the file"), /^error: .*cannot be used/);
  assert.equal(await shown(), before);
  // As a mounted secret is swapped.
  writeFileSync(join(folder, "fresh.pem"), otherLocalhost.cert);
  symlinkSync("fresh.pem", join(folder, "link.pem"));
  renameSync(join(folder, "link.pem"), join(folder, "cert.pem"));
  assert.match(await logged.next("what became of the file"), /^info: .*read again/);
  assert.notEqual(await shown(), before);
  assert.equal(await known(secure, adaPair), "200 peer");
  old.socket.write(health());
  await old.until(/"peer"/);
  old.socket.destroy();
});

test("tls: who does not shake hands is cut, and costs nobody else anything", async () => {
  await using secure = await serve({ certificates: true }, { ...defaultPatience, silentMs: 100 });
  const port = Number(secure.listener.url.port);
  const silent = connectPlain(port, "127.0.0.1");
  const plain = connectPlain(port, "127.0.0.1", () => plain.write("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"));
  const ends = [silent, plain].map(
    (socket) =>
      new Promise<void>((resolve) =>
        socket
          .on("error", () => {})
          .on("close", () => resolve())
          .resume(),
      ),
  );
  assert.equal(await known(secure, adaPair), "200 peer");
  await within(Promise.all(ends), "the end of both");
});

test("tls: of those who do not shake hands there are no more than connections, and others come in", async () => {
  const key = keyOf("ada");
  await using secure = await serve({ keys: [key] }, defaultPatience, 20);
  const { port } = secure.listener.url;
  const sockets = Array.from({ length: 300 }, () => connectPlain(Number(port), "127.0.0.1"));
  const left = new Set(sockets);
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const socket of sockets) {
    socket.on("error", () => {});
    socket.once("close", () => void (left.delete(socket) && left.size <= 20 && resolve()));
  }
  await within(promise, "the end of those that are too many");
  assert.equal(await known(secure, undefined, key.key), "200 peer");
  for (const socket of sockets) socket.destroy();
});

test("tls: files that cannot be used are said before anything listens", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tls-"));
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const cert = write("cert.pem", localhostCert);
  const cases = [
    { cert, key: join(folder, "none.pem") },
    { cert, key: write("other.pem", otherLocalhost.key) },
    { cert, key: write("text.pem", "no key") },
  ];
  for (const tls of cases) {
    const listening = listen({ host: "127.0.0.1", port: 0, handle: () => Promise.reject(new Error("no")), tls });
    await assert.rejects(listening, (error) => error instanceof GatewayError && error.code === "configInvalid");
  }
  rmSync(folder, { recursive: true });
});
