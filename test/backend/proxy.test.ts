// Proxies by environment: which one is taken, what it is asked, and what becomes of its refusals.
import assert from "node:assert/strict";
import * as net from "node:net";
import { test } from "node:test";
import type { Address } from "../../lib/backend/race.ts";
import { proxyFor } from "../../lib/backend/proxy.ts";
import { targetOf } from "../../lib/backend/target.ts";
import { localhostCert } from "../fixtures/localhost.ts";
import { ask, failure, get, poolFor, post } from "./pool-kit.ts";
import { response, serveRaw, until } from "./raw-server.ts";

type Environment = Readonly<Record<string, string>>;

function proxyOf(url: string, environment: Environment): string | undefined {
  const proxy = proxyFor(targetOf(new URL(url)), environment);
  return proxy === undefined ? undefined : `${proxy.secure ? "https" : "http"}://${proxy.name}`;
}

test("proxy: the variable of the scheme wins over all_proxy, and small letters over capitals", () => {
  const p = "http://p.test:1";
  const cases: readonly (readonly [url: string, environment: Environment, proxy: string | undefined])[] = [
    ["http://a.test/", {}, undefined],
    ["http://a.test/", { http_proxy: p }, p],
    ["https://a.test/", { http_proxy: p }, undefined],
    // A client's header "Proxy" becomes HTTP_PROXY under CGI.
    ["http://a.test/", { HTTP_PROXY: p }, undefined],
    ["https://a.test/", { https_proxy: p }, p],
    ["https://a.test/", { HTTPS_PROXY: p }, p],
    ["https://a.test/", { https_proxy: p, HTTPS_PROXY: "http://q.test:2" }, p],
    ["http://a.test/", { HTTPS_PROXY: p }, undefined],
    ["http://a.test/", { all_proxy: p }, p],
    ["https://a.test/", { ALL_PROXY: p }, p],
    ["https://a.test/", { ALL_PROXY: "http://q.test:2", HTTPS_PROXY: p }, p],
    ["https://a.test/", { HTTPS_PROXY: "", ALL_PROXY: p }, p],
    ["http://a.test/", { http_proxy: " p.test:1 " }, p],
    ["http://a.test/", { http_proxy: "p.test" }, "http://p.test:80"],
    ["http://a.test/", { http_proxy: "https://p.test" }, "https://p.test:443"],
    ["http://a.test/", { http_proxy: "http://[::1]:3128/" }, "http://[::1]:3128"],
  ];
  for (const [url, environment, proxy] of cases) {
    assert.equal(proxyOf(url, environment), proxy, `${url} ${JSON.stringify(environment)}`);
  }
});

test("proxy: what is on this machine is never asked of a proxy", () => {
  const hosts = ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]"];
  for (const host of hosts) assert.equal(proxyOf(`http://${host}:8/`, { all_proxy: "p.test:1" }), undefined, host);
  assert.equal(proxyOf("unix:/run/mcp.sock", { all_proxy: "p.test:1" }), undefined);
  for (const host of ["localhost.test", "notlocalhost", "128.0.0.1", "[::2]"]) {
    assert.ok(proxyOf(`http://${host}/`, { all_proxy: "p.test:1" }), host);
  }
});

test("proxy: no_proxy takes names, what is below them, addresses, ranges and ports", () => {
  const cases: readonly (readonly [list: string, direct: string, proxied: string])[] = [
    ["*", "a.test b.a.test 10.0.0.1 [fd00::1]", ""],
    ["a.test", "a.test A.TEST a.test. b.a.test", "ba.test a.tes test a.test.b"],
    [".a.test", "a.test b.a.test", "ba.test"],
    ["*.a.test", "b.a.test", "ba.test"],
    ["A.Test.", "a.test", "b.test"],
    ["x, a.test b.test,,", "a.test b.test x", "c.test"],
    ["a.test:8080", "a.test:8080", "a.test a.test:80 b.test:8080"],
    ["a.test:80", "a.test", "a.test:8080"],
    ["10.0.0.1", "10.0.0.1", "10.0.0.2 10.0.0.10 a.test"],
    ["10.0.0.0/8", "10.0.0.1 10.255.255.255", "11.0.0.1 [::a00:1]"],
    ["192.168.4.0/22:81", "192.168.7.1:81", "192.168.8.1:81 192.168.7.1"],
    ["fd00::/8", "[fd00::1] [fdff::]", "[fe00::1]"],
    ["[fd00::1]:81", "[fd00::1]:81", "[fd00::1] [fd00::2]:81"],
    ["fd00::1", "[fd00::1]", "[fd00::2]"],
    ["0.1", "", "10.0.0.1"],
    ["10.0.0.0/33,10.0.0.0/x,10.0.0.0/,.,:,:80,[]", "", "10.0.0.1 a.test"],
    ["", "", "a.test"],
  ];
  for (const [list, direct, proxied] of cases) {
    for (const name of ["no_proxy", "NO_PROXY"]) {
      const environment = { http_proxy: "p.test:1", [name]: list };
      for (const host of direct.split(" ").filter(Boolean)) {
        assert.equal(proxyOf(`http://${host}/`, environment), undefined, `${host} in ${list}`);
      }
      for (const host of proxied.split(" ").filter(Boolean)) {
        assert.ok(proxyOf(`http://${host}/`, environment), `${host} in ${list}`);
      }
    }
  }
});

test("proxy: one of another kind is an error, not a way round, and its password is not in it", () => {
  for (const value of ["socks5://u:hunter2@p.test:1", "http://u:hunter2@p test:1", "http://u:hunter2@", "://hunter2"]) {
    assert.throws(
      () => poolFor(new URL("https://a.test/"), { environment: { ALL_PROXY: value } }),
      (error: Error) =>
        /ALL_PROXY/.test(error.message) && /a\.test:443/.test(error.message) && !/hunter2/.test(error.message),
      value,
    );
  }
});

test("proxy: a plain request goes to it in absolute form, with the credentials of its URL", async () => {
  const heads: string[] = [];
  await using server = await serveRaw((request, socket) => {
    heads.push(request.head);
    socket.write(response(String(request.body)));
  });
  const environment = { http_proxy: `http://us%40er:p%3Aw@127.0.0.1:${server.port}` };
  await using pool = poolFor(new URL("http://api.test:8080/"), { environment });
  assert.equal(await ask(pool, post("a", "/mcp?b=c")), "a");
  assert.equal(await ask(pool, get("/")), "");
  assert.equal(server.accepted, 1);
  const credentials = `proxy-authorization: Basic ${Buffer.from("us@er:p:w").toString("base64")}`;
  assert.deepEqual(heads, [
    `POST http://api.test:8080/mcp?b=c HTTP/1.1\r\nhost: api.test:8080\r\n${credentials}\r\ncontent-length: 1`,
    `GET http://api.test:8080/ HTTP/1.1\r\nhost: api.test:8080\r\n${credentials}`,
  ]);
});

test("proxy: one that is not there is named in the error, without its credentials", async () => {
  const free = net.createServer();
  await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
  const address = free.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  await new Promise((resolve) => free.close(resolve));
  for (const url of ["http://api.test", "https://api.test"]) {
    await using pool = poolFor(new URL(url), { environment: { all_proxy: `http://u:hunter2@127.0.0.1:${port}` } });
    const error = await failure(ask(pool, post("x")));
    assert.deepEqual([error.code, error.data], ["unreachable", { sent: false }]);
    assert.equal(error.message, `the proxy 127.0.0.1:${port} refused the connection (ECONNREFUSED)`);
  }
});

interface TunnelServer extends AsyncDisposable {
  readonly port: number;
  /** The heads that the proxy got. */
  readonly heads: string[];
  readonly sockets: ReadonlySet<net.Socket>;
}

/** A proxy that leads every CONNECT to `port`. */
async function serveTunnel(port: number, secure: boolean): Promise<TunnelServer> {
  const heads: string[] = [];
  const server = await serveRaw(() => {}, {
    secure,
    onSocket: (client) =>
      client.once("data", (bytes: Buffer) => {
        heads.push(bytes.toString("latin1"));
        const up = net.connect(port, "127.0.0.1", () => {
          client.write("HTTP/1.1 200 Connection established\r\nX-Proxy: a\r\n\r\n");
          client.pipe(up).pipe(client);
        });
        up.on("error", () => client.destroy());
        client.on("close", () => up.destroy());
      }),
  });
  return {
    port: server.port,
    heads,
    sockets: server.sockets,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test("proxy: TLS goes through a tunnel, which carries many requests, with the target's name in it", async () => {
  const names: unknown[] = [];
  await using server = await serveRaw(
    (request, socket) => {
      names.push("servername" in socket ? socket.servername : undefined);
      socket.write(response(`${request.head}|${String(request.body)}`));
    },
    { secure: true },
  );
  await using tunnel = await serveTunnel(server.port, false);
  const environment = { https_proxy: `http://u:pw@127.0.0.1:${tunnel.port}` };
  await using pool = poolFor(new URL("https://api.test"), { environment, tls: { rejectUnauthorized: false } });
  for (const body of ["a", "x".repeat(300_000), "b"]) {
    assert.equal(
      await ask(pool, post(body)),
      `POST /mcp HTTP/1.1\r\nhost: api.test\r\ncontent-length: ${body.length}|${body}`,
    );
  }
  const credentials = `proxy-authorization: Basic ${Buffer.from("u:pw").toString("base64")}`;
  assert.deepEqual(tunnel.heads, [`CONNECT api.test:443 HTTP/1.1\r\nhost: api.test:443\r\n${credentials}\r\n\r\n`]);
  assert.deepEqual([server.accepted, pool.stats.opened], [1, 1]);
  assert.deepEqual(names, ["api.test", "api.test", "api.test"]);
  await pool[Symbol.asyncDispose]();
  await until(() => server.sockets.size === 0 && tunnel.sockets.size === 0, "the tunnel is closed");
});

test("proxy: the certificate behind a tunnel must name the target, not the proxy", async () => {
  await using server = await serveRaw((_request, socket) => socket.write(response("ok")), { secure: true });
  await using tunnel = await serveTunnel(server.port, false);
  const environment = { https_proxy: `http://127.0.0.1:${tunnel.port}` };
  for (const host of ["api.test", "192.0.2.1"]) {
    await using pool = poolFor(new URL(`https://${host}`), { environment, tls: { ca: localhostCert } });
    const error = await failure(ask(pool, post("x")));
    assert.deepEqual([error.code, error.data["sent"]], ["unreachable", false]);
    assert.equal(error.message, `${host}:443 has a certificate that is not trusted (ERR_TLS_CERT_ALTNAME_INVALID)`);
  }
  await until(() => tunnel.sockets.size === 0 && server.sockets.size === 0, "the tunnels are closed");
});

test("proxy: one that is reached over TLS must be trusted", async () => {
  await using server = await serveRaw((_request, socket) => socket.write(response("ok")));
  await using tunnel = await serveTunnel(server.port, true);
  const environment = { all_proxy: `https://127.0.0.1:${tunnel.port}` };
  for (const url of ["https://api.test", "http://api.test"]) {
    await using pool = poolFor(new URL(url), { environment });
    const error = await failure(ask(pool, post("x")));
    assert.equal(
      error.message,
      `the proxy 127.0.0.1:${tunnel.port} has a certificate that is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)`,
    );
  }
  assert.equal(tunnel.heads.length, 0);
});

test("proxy: whatever refuses a tunnel, nothing was sent, and no socket is left", async () => {
  const cases: readonly (readonly [answer: string, closes: boolean, words: RegExp])[] = [
    [
      "HTTP/1.1 407 x\r\nContent-Length: 5\r\n\r\nhello",
      false,
      /did not connect to api\.test:443: it wants other credentials \(HTTP 407\)$/,
    ],
    ["HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n", false, /it is not allowed to \(HTTP 403\)$/],
    ["HTTP/1.0 502 x\r\n\r\n<html>", true, /did not connect to api\.test:443: HTTP 502$/],
    ["HTTP/1.1 302 x\r\nLocation: http://evil.test/\r\n\r\n", false, /HTTP 302$/],
    ["HTTP/1.1 200 x\r\n\r\n\x16\x03\x01", false, /sent bytes after its answer$/],
    ["HTTP/1.1 200 x\r\nA : b\r\n\r\n", false, /does not answer in valid HTTP\/1\.1/],
    ["SSH-2.0-x\r\n", false, /does not answer in valid HTTP\/1\.1/],
    [`HTTP/1.1 200 ${"x".repeat(20_000)}`, false, /does not answer in valid HTTP\/1\.1: the head is larger/],
    ["HTTP/1.1 20", true, /closed the connection when asked for api\.test:443$/],
    ["", true, /closed the connection when asked for api\.test:443$/],
  ];
  for (const [answer, closes, words] of cases) {
    await using server = await serveRaw(() => {}, {
      onSocket: (socket) =>
        socket.once("data", () => (closes ? socket.end(answer, "latin1") : socket.write(answer, "latin1"))),
    });
    const environment = { https_proxy: `http://u:hunter2@127.0.0.1:${server.port}` };
    await using pool = poolFor(new URL("https://api.test"), { environment });
    const error = await failure(ask(pool, post("x")));
    assert.deepEqual([error.code, error.data], ["unreachable", { sent: false }], answer);
    assert.match(error.message, words);
    assert.match(error.message, /^the proxy 127\.0\.0\.1:\d+ /);
    assert.ok(!error.message.includes("hunter2"));
    await until(() => server.sockets.size === 0 && pool.stats.inFlight === 0, "the socket is closed");
  }
});

test("proxy: one that is silent is given up in time, and its name is looked up like any other", async () => {
  await using server = await serveRaw(() => {}, { onSocket: (socket) => socket.resume() });
  const resolve = (host: string): Promise<Address[]> => {
    assert.equal(host, "p.test", "the target's name is the proxy's to look up");
    return Promise.resolve([
      { address: "127.0.0.9", family: 4 },
      { address: "127.0.0.1", family: 4 },
    ]);
  };
  const environment = { https_proxy: `http://p.test:${server.port}` };
  await using pool = poolFor(new URL("https://api.test"), { environment, resolve, connectTimeoutMs: 40 });
  const error = await failure(ask(pool, post("x")));
  assert.deepEqual([error.code, error.data], ["connectTimeout", { sent: false }]);
  await until(() => server.sockets.size === 0, "the socket is closed");
});

test("proxy: a 1xx answer to CONNECT is not the last word", async () => {
  await using server = await serveRaw((request, socket) => socket.write(response(String(request.body))), {
    secure: true,
  });
  await using proxy = await serveRaw(() => {}, {
    onSocket: (client) =>
      client.once("data", () => {
        const up = net.connect(server.port, "127.0.0.1", () => {
          client.write("HTTP/1.1 102 x\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 7\r\n\r\n");
          client.pipe(up).pipe(client);
        });
        up.on("error", () => {});
      }),
  });
  const environment = { https_proxy: `127.0.0.1:${proxy.port}` };
  await using pool = poolFor(new URL("https://api.test"), { environment, tls: { rejectUnauthorized: false } });
  assert.equal(await ask(pool, post("a")), "a");
});
