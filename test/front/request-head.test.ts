// What is read of a client's bytes, wherever they are cut.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MessageParser } from "../../lib/backend/http1.ts";
import { type RequestHead, requestGrammar } from "../../lib/front/request-head.ts";
import { refusedRequests } from "../fixtures/http1-refusals.ts";
import { oddRequests, request, type RequestCase } from "../fixtures/http1-requests.ts";

const cases: readonly RequestCase[] = [...oddRequests, ...refusedRequests];
const maxHeadBytes = 64 * 1024;

/** What comes of the pieces: each request as `METHOD path body`, and the status with which the rest is refused. */
function readAll(pieces: readonly Uint8Array[]): { read: (string | number)[]; heads: RequestHead[] } {
  const read: (string | number)[] = [];
  const heads: RequestHead[] = [];
  let body = "";
  let isOver = false;
  const done = ({ method, path, keepAlive, expects }: RequestHead): void => {
    read.push(expects === "other" ? 417 : `${method} ${path} ${body}`);
    body = "";
    isOver ||= !keepAlive;
  };
  const parser = new MessageParser(
    requestGrammar,
    {
      onHead: (head) => void heads.push(head),
      onBody: (piece) => void (body += Buffer.from(piece).toString("latin1")),
      onDone: () => heads.slice(-1).forEach(done),
    },
    maxHeadBytes,
  );
  for (const piece of pieces) {
    for (let rest = piece; rest.length > 0 && !isOver;) {
      if (parser.done) parser.next();
      if (parser.push(rest) === undefined) rest = rest.subarray(rest.length - parser.surplus);
      else isOver = read.push(parser.isFull ? 431 : 400) > 0;
    }
  }
  return { read, heads };
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");

test("request head: a corpus of odd and hostile requests is read as expected", () => {
  assert.ok(cases.length >= 150, `${cases.length} cases`);
  assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length, "no two cases have the same name");
  for (const { name, text, answers } of cases) assert.deepEqual(readAll([bytesOf(text)]).read, answers, name);
});

test("request head: the corpus reads the same wherever it is cut in two, and byte by byte", () => {
  for (const { name, text, answers } of cases) {
    const bytes = bytesOf(text);
    // A large one is large in its middle, where nothing begins or ends.
    for (let at = 1; at < bytes.length; at += at > 400 && at < bytes.length - 400 ? 9973 : 1) {
      assert.deepEqual(readAll([bytes.subarray(0, at), bytes.subarray(at)]).read, answers, `${name}, cut at ${at}`);
    }
    const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    assert.deepEqual(readAll(single).read, answers, `${name}, byte by byte`);
  }
});

test("request head: a row of requests reads the same in any pieces", () => {
  const good = oddRequests.filter(({ closes, text }) => !closes && text.length < 1000);
  const rows = fc.array(fc.constantFrom(...good), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(rows, fc.array(fc.nat()), (row, cuts) => {
      const bytes = bytesOf(row.map(({ text }) => text).join(""));
      const ends = [...new Set(cuts.map((cut) => cut % bytes.length)), bytes.length].sort((a, b) => a - b);
      const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
      assert.deepEqual(
        readAll(pieces).read,
        row.flatMap(({ answers }) => answers),
      );
    }),
  );
});

test("request head: the host of an absolute target counts, whatever the header says", () => {
  const { heads } = readAll([bytesOf(request("GET http://evil.example:1/p HTTP/1.1", "Host: localhost"))]);
  assert.equal(heads[0]?.headers.get("host"), "evil.example:1");
});

test("request head: no garbage is read as a request, or throws", () => {
  const start = fc.constantFrom("", "GET /p HTTP/1.1\r\n", "GET /p HTTP/1.1\r\nHost: a\r\n", "POST ");
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 300 }), (text, garbage) => {
      const { read, heads } = readAll([bytesOf(text), garbage]);
      assert.ok(read.length <= heads.length + 1);
      for (const { method, path, headers } of heads) {
        assert.match(method, /^[!-~]+$/);
        assert.match(path, /^\/|^\*$/);
        for (const [name, value] of headers) assert.doesNotMatch(`${name}${value}`, /[\0\r\n]/);
      }
    }),
  );
});

test("request head: the query is apart from the path, in either form of the target", () => {
  const targets: readonly (readonly [target: string, path: string, query: string])[] = [
    ["/a", "/a", ""],
    ["/a?", "/a", ""],
    ["/a?b=1?c&d#e", "/a", "b=1?c&d"],
    ["http://h/a?b", "/a", "b"],
    ["http://h?b", "/", "b"],
  ];
  for (const [target, path, query] of targets) {
    const head = requestGrammar.parse(Buffer.from(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`));
    assert.ok(typeof head === "object" && "path" in head, target);
    assert.deepEqual([head.path, head.query], [path, query], target);
  }
});
