// The clients that people use against the front: fetch of both runtimes, node:http with agents, and curl.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
  type RequestOptions,
} from "node:http";
import { test } from "node:test";
import { echo, serve, type Server } from "./echo.ts";
import { within } from "./peer.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One request of node:http; `send` writes its body. */
function ask(server: Server, options: RequestOptions, send: (request: ClientRequest) => void): Promise<Answer> {
  const { hostname, port } = server.listener.url;
  const answered = new Promise<Answer>((resolve, reject) => {
    const request = httpRequest({ hostname, port, path: "/p", ...options }, (response) => {
      readAll(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    request.on("error", reject);
    send(request);
  });
  return within(answered, "an answer to node:http");
}

async function readAll(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return text;
}

test("clients: node:http with an agent uses one connection for all its requests", async () => {
  await using server = await serve(echo);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const sockets = new Set<unknown>();
    for (let n = 0; n < 20; n += 1) {
      const isChunked = n % 2 === 1;
      const headers = isChunked ? {} : { "content-length": 10 };
      const { text } = await ask(server, { agent, method: "POST", headers }, (request) => {
        request.on("socket", (socket) => sockets.add(socket));
        request.write("hello");
        request.end("hello");
      });
      assert.equal(text, "POST /p hellohello");
    }
    assert.equal(sockets.size, 1);
  } finally {
    agent.destroy();
  }
});

test("clients: node:http that waits for 100 Continue sends its body then", async () => {
  await using server = await serve(echo);
  const headers = { expect: "100-continue", "content-length": 5, connection: "close" };
  const { text } = await ask(server, { method: "POST", headers, agent: false }, (request) => {
    request.on("continue", () => request.end("hello"));
    request.flushHeaders();
  });
  assert.equal(text, "POST /p hello");
});

test("clients: node:http gets 413 for a body that it still sends", async () => {
  await using server = await serve(async (incoming) => (await incoming.body(1000), echo(incoming)));
  const piece = "x".repeat(64 * 1024);
  const { status } = await ask(server, { method: "POST", agent: false }, (request) => {
    const write = (left: number): void => {
      if (left === 0) request.end();
      else request.write(piece, () => write(left - 1));
    };
    write(64);
    // What it still writes finds a connection that the server has closed.
    request.on("error", () => {});
  });
  assert.equal(status, 413);
});

test("clients: fetch sends plain and streamed bodies, many at once and one after another", async () => {
  await using server = await serve(echo);
  const { url } = server.listener;
  const text = async (init: RequestInit): Promise<string> =>
    (await within(fetch(new URL("/p", url), init), "an answer to fetch")).text();
  const streamed = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      start: (controller) => {
        for (const part of ["one", "two", "three"]) controller.enqueue(new TextEncoder().encode(part));
        controller.close();
      },
    });
  const round = async (n: number): Promise<void> => {
    assert.equal(await text({}), "GET /p ");
    assert.equal(await text({ method: "POST", body: `body ${n}` }), `POST /p body ${n}`);
    const init = { method: "POST", body: streamed(), duplex: "half" } as const;
    assert.equal(await text(init), "POST /p onetwothree");
    assert.equal(await text({ method: "HEAD" }), "");
  };
  for (let n = 0; n < 3; n += 1) await round(n);
  await Promise.all(Array.from({ length: 30 }, (_, n) => round(n)));
  const large = "y".repeat(500_000);
  assert.equal((await text({ method: "POST", body: large })).length, large.length + "POST /p ".length);
});

const hasCurl = spawnSync("curl", ["--version"]).status === 0;

function curl(args: readonly string[], input: string): Promise<{ code: number | null; text: string }> {
  const child = spawn("curl", ["-sS", "--max-time", "7", "--noproxy", "*", ...args]);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Uint8Array) => (text += String(chunk)));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return within(
    new Promise((resolve) => child.on("close", (code: number | null) => resolve({ code, text }))),
    "the end of curl",
  );
}

test("clients: curl, in each of the ways in which it speaks HTTP/1", { skip: !hasCurl }, async () => {
  await using server = await serve(echo);
  const url = new URL("/p", server.listener.url).href;
  const large = "z".repeat(1_000_000);
  const cases: readonly (readonly [args: readonly string[], input: string, text: string])[] = [
    [[url], "", "GET /p "],
    [[url, url, url], "", "GET /p GET /p GET /p "],
    [["--http1.0", url], "", "GET /p "],
    [["--http2", url], "", "GET /p "],
    [["--data-binary", "@-", url], "hello", "POST /p hello"],
    [["-H", "Transfer-Encoding: chunked", "--data-binary", "@-", url], "hello", "POST /p hello"],
    [["-T", "-", url], "hello", "PUT /p hello"],
    [["-H", "Expect: 100-continue", "--data-binary", "@-", url], "hello", "POST /p hello"],
    [["--data-binary", "@-", url], large, `POST /p ${large}`],
    [["-T", "-", url, "-H", "Expect:"], large, `PUT /p ${large}`],
    [["-X", "OPTIONS", "--request-target", "*", url], "", "OPTIONS * "],
    [
      [
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{num_connects}\\n",
        "-X",
        "POST",
        "-d",
        "a",
        url,
        "-o",
        "/dev/null",
        url,
      ],
      "",
      "200 1\n200 0\n",
    ],
    [["-I", "-o", "/dev/null", "-w", "%{http_code}", url], "", "200"],
    [["-o", "/dev/null", "-w", "%{http_code}", "-T", "-", url], large.repeat(4), "413"],
  ];
  for (const [args, input, expected] of cases) {
    const { code, text } = await curl(args, input);
    assert.ok(text === expected && code === 0, `${args.join(" ")}: exit ${code}, ${text.slice(0, 200)}`);
  }
});
