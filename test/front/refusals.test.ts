// Requests that are refused, and what becomes of their bodies and connections.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../lib/core/errors.ts";
import type { HttpReply, HttpRequest } from "../../lib/front/exchange.ts";
import { errorReply } from "../../lib/front/reply.ts";
import { getP, host, request } from "../fixtures/http1-requests.ts";
import { answersIn, answersOn, echo, serve, type Server } from "./echo.ts";
import { Queue } from "./peer.ts";
import type { Wire } from "./wire.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const tooLarge = 100_000;
/** Refuses each request in one of the ways in which routes do, without its body. */
function refuse(incoming: HttpRequest): HttpReply | Promise<HttpReply> {
  switch (incoming.path) {
    case "/status":
      return errorReply(new GatewayError("mediaType", "no"), undefined);
    case "/throw":
      throw new GatewayError("notAcceptable", "no");
    case "/reject":
      return Promise.reject(new GatewayError("notFound", "no"));
    default:
      return echo(incoming);
  }
}

test("server: after each way of refusing a request its small body is skipped, and the connection used on", async () => {
  await using server = await serve(refuse);
  const wire = await server.wire();
  let count = 0;
  for (const path of ["/status", "/throw", "/reject"]) {
    for (const [length, isSplit] of [
      [0, false],
      [5, false],
      [5, true],
      [60_000, true],
    ] as const) {
      const head = request(`POST ${path} HTTP/1.1`, host, `Content-Length: ${length}`);
      const body = getP.repeat(3000).slice(0, length);
      count += 1;
      wire.socket.write(isSplit ? head : head + body);
      if (isSplit) {
        await answersOn(wire, count);
        wire.socket.write(body);
      }
    }
  }
  const got = await answersOn(wire, count);
  assert.deepEqual(
    got.map(({ status }) => status),
    [415, 406, 404].flatMap((status) => [status, status, status, status]),
  );
  wire.socket.write(getP);
  assert.equal((await answersOn(wire, count + 1)).at(-1)?.status, 200);
});

test("server: a refused request with a large body, or one of unknown length, is the last one", async () => {
  await using server = await serve(refuse);
  const bodies = [
    [`Content-Length: ${tooLarge}`, getP],
    ["Transfer-Encoding: chunked", `5\r\nhello\r\n`],
    // Nobody knows whether a client that was not told to go on sends its body.
    ["Expect: 100-continue\r\nContent-Length: 5", ""],
  ] as const;
  for (const [header, body] of bodies) {
    const wire = await server.wire();
    wire.socket.write(`${request("POST /status HTTP/1.1", host, header)}${body}`);
    await wire.when("the end", () => wire.isEnded);
    assert.deepEqual(
      answersIn(wire.text).map(({ status, headers }) => [status, headers.get("connection")]),
      [[415, "close"]],
    );
  }
});

test("server: what follows a skipped body is a request of its own", async () => {
  await using server = await serve(() => errorReply(new GatewayError("mediaType", "no"), undefined));
  const wire = await server.wire();
  wire.socket.write(request("POST / HTTP/1.1", host, "Content-Length: 3"));
  await answersOn(wire, 1);
  wire.socket.write("abc\0");
  await wire.closed();
  assert.deepEqual(
    answersIn(wire.text).map(({ status }) => status),
    [415, 400],
  );
});

/** What a connection with this head and body gets, with the body only after "100 Continue" or the answer. */
async function expectContinue(server: Server, head: string, body: string): Promise<Wire> {
  const wire = await server.wire();
  wire.socket.write(head);
  await answersOn(wire, 1);
  wire.socket.write(body);
  return wire;
}

test("server: a client that waits for it is told to go on once, and only where its body is wanted", async () => {
  await using server = await serve((incoming) => (incoming.path === "/no" ? refuse(incoming) : echo(incoming)));
  const head = (path: string, length: number): string =>
    request(`POST ${path} HTTP/1.1`, host, "Expect: 100-Continue", `Content-Length: ${length}`);
  const told = await expectContinue(server, head("/p", 5), "he");
  told.socket.write(`llo${getP}`);
  const got = await answersOn(told, 3);
  assert.deepEqual(
    got.map(({ status, body }) => [status, body]),
    [
      [100, ""],
      [200, "POST /p hello"],
      [200, "GET /p "],
    ],
  );
  const refused = await expectContinue(server, head("/p", 2 ** 21), "");
  await refused.when("the end", () => refused.isEnded);
  assert.deepEqual(
    answersIn(refused.text).map(({ status, headers }) => [status, headers.get("connection")]),
    [[413, "close"]],
  );
  const impatient = await server.wire();
  impatient.socket.write(`${head("/p", 5)}hello${getP}`);
  await answersOn(impatient, 2);
  assert.deepEqual(
    answersIn(impatient.text).map(({ status }) => status),
    [200, 200],
  );
  const old = await expectContinue(
    server,
    request("POST /p HTTP/1.0", "Expect: 100-continue", "Content-Length: 0"),
    "",
  );
  assert.equal(answersIn(old.text)[0]?.status, 200);
});

test("server: a body that is broken in its middle is told to its route, and answered once", async () => {
  const failures: string[] = [];
  const begun = new Queue<void>();
  const broken = Promise.withResolvers<void>();
  const handle = async (incoming: HttpRequest): Promise<HttpReply> => {
    try {
      begun.push();
      if (incoming.path === "/late") await broken.promise;
      return await echo(incoming);
    } catch (error) {
      failures.push(String(error));
      throw error;
    }
  };
  await using server = await serve(handle);
  // Also where it asks for the body after that.
  for (const path of ["/late", "/p"]) {
    const wire = await server.wire();
    wire.socket.write(`${request(`POST ${path} HTTP/1.1`, host, "Transfer-Encoding: chunked")}5\r\nhello\r\n`);
    await begun.next("the request");
    wire.socket.write(`nonsense\r\n${getP}`);
    for (let n = 0; n < 5; n += 1) await turn();
    broken.resolve();
    await wire.closed();
    assert.deepEqual(
      answersIn(wire.text).map(({ status, headers }) => [status, headers.get("connection")]),
      [[400, "close"]],
    );
    assert.match(failures.splice(0).join(), /hexadecimal/);
  }
});
