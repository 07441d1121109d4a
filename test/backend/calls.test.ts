// Progress that is known by its form is handed on as what is looked at whole, whichever calls it is of.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Calls } from "../../lib/backend/calls.ts";
import { type FlightOwner, InFlight } from "../../lib/backend/flight.ts";
import { type Part, partBytes, type Taken } from "../../lib/core/part.ts";
import { Scope } from "../../lib/core/scope.ts";

const owner: FlightOwner = {
  meter: undefined,
  arrived: () => {},
  sent: () => {},
  broken: () => {},
  abandoned: () => {},
};
const settle = { resolve: () => {}, reject: () => {} };

/** Some calls in flight, and what their callers heard. */
class Link {
  readonly calls = new Calls();
  readonly heard: string[] = [];
  signs = 0;
  /** Whose client does not read. */
  readonly behind = new Map<number, Promise<void>>();

  constructor(ids: readonly number[]) {
    for (const id of ids) {
      const congestion = (): Promise<void> | undefined => this.behind.get(id);
      const caller = {
        session: this,
        get congestion() {
          return congestion();
        },
        deliver: () => {},
        parts: {
          get congestion() {
            return congestion();
          },
          sendPart: (part: Part) => void this.heard.push(`${id} ${Buffer.from(partBytes(part)).toString()}`),
        },
      };
      const signs = { heard: () => void (this.signs += 1), asked: () => {} };
      const token = Buffer.from(`"token of ${id}"`);
      const call = { method: "tools/call", id: Buffer.from(String(id)), token, caller, signs, augmented: false };
      this.calls.add(new InFlight(owner, id, call, new Scope(), settle));
    }
  }

  /** Whether the text was handed on, which came on the stream of this call. */
  progress(text: string, cause: number): Taken {
    const bytes = Buffer.from(`5\r\n${text}\r\n`);
    return this.calls.progress(bytes, 3, bytes.length - 2, cause);
  }
}

const ids = [7, 8, 1000] as const;

test("calls: progress of any form, in any order and of any call, is handed on as without those before it", () => {
  const id = fc.constantFrom(...ids, 9, 70);
  const number = fc.constantFrom("0", "1", "9", "10", "0.5", "99", "100", "1e3", "-1", "01", "x");
  const form = fc.constantFrom(
    (token: number, value: string) => `"progressToken":${token},"progress":${value},"total":100`,
    (token: number, value: string) => `"progress":${value},"progressToken":${token},"message":"step ${value} of 10"`,
    (token: number, value: string) => `"progressToken":"${token}","progress":${value}`,
    (token: number, value: string) => `"progressToken":${token},"progress":${value},"message":"\\u0031${value}"`,
  );
  const message = fc.record({ id, cause: fc.constantFrom(...ids, 9), number, form });
  let taken = 0;
  fc.assert(
    fc.property(fc.array(message, { maxLength: 30 }), (messages) => {
      const link = new Link(ids);
      for (const { id, cause, number, form } of messages) {
        const text = `{"jsonrpc":"2.0","method":"notifications/progress","params":{${form(id, number)}}}`;
        const fresh = new Link(ids);
        link.heard.length = link.signs = 0;
        const isTaken = link.progress(text, cause);
        assert.equal(isTaken, fresh.progress(text, cause), text);
        assert.deepEqual([link.heard, link.signs], [fresh.heard, fresh.signs], text);
        if (isTaken) taken += 1;
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(taken > 100, String(taken));
});

test("calls: a stream is held up by the client of its own call, and by nobody else's", () => {
  const link = new Link(ids);
  const held = Promise.resolve();
  link.behind.set(8, held);
  for (const value of [1, 2]) {
    const text = (of: number): string =>
      `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${of},"progress":${value}}}`;
    assert.equal(link.progress(text(8), 8), held);
    assert.equal(link.progress(text(8), 7), true);
    assert.equal(link.progress(text(7), 8), held);
    assert.equal(link.progress(text(7), 7), true);
  }
});

test("calls: progress of a call that has its answer is not handed on", () => {
  const link = new Link(ids);
  const text = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}';
  for (let count = 0; count < 2; count += 1) assert.equal(link.progress(text, 7), true);
  link.calls.take(7);
  assert.equal(link.progress(text, 7), false);
  assert.equal(link.progress(text.replace("7", "8"), 8), true);
  assert.deepEqual(
    link.heard.map((heard) => heard.split(" ")[0]),
    ["7", "7", "8"],
  );
});
