// Who takes events when the turn is over gets what others get at once, however it comes and whatever ends it.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Connection } from "../../lib/backend/connection.ts";
import { isPlain } from "../../lib/backend/exchange.ts";
import type { BodyTaker } from "../../lib/backend/http1-body.ts";
import { KnownHeads } from "../../lib/backend/http1-known.ts";
import { type HttpRequest, StartRoom } from "../../lib/backend/request.ts";
import { Unread } from "../../lib/backend/unread.ts";
import { asGatewayError } from "../../lib/core/errors.ts";
import { Rooms } from "../../lib/core/room.ts";
import { atTurnEnd, beforeTurnEnd, Scope } from "../../lib/core/scope.ts";
import type { TcpSocket } from "../../lib/core/tcp.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Takes all that is written, and says nothing on its own. */
class StillSocket implements TcpSocket {
  destroyed = false;
  readonly writable = true;
  readonly writableLength = 0;
  on(): void {}
  once(): void {}
  off(): void {}
  write(): boolean {
    return true;
  }
  end(): void {}
  destroy(): void {
    this.destroyed = true;
  }
  pause(): void {}
  resume(): void {}
}

/** One request on a connection that does what it is told, and what came of it. */
class Exchanged implements BodyTaker {
  readonly isPatient: boolean;
  readonly socket = new StillSocket();
  readonly connection: Connection;
  readonly scope = new Scope();
  text = "";
  end = "none";
  released = 0;

  constructor(isPatient: boolean, unread: Unread) {
    this.isPatient = isPatient;
    const owner = { rooms: new Rooms(), heads: new KnownHeads(isPlain), room: new StartRoom(), unread };
    const released = (): void => void (this.released += 1);
    this.connection = new Connection(this.socket, "x:1", 10_000, { ...owner, released, closed: () => {} });
    const request: HttpRequest = { method: "GET", path: "/", headers: [] };
    this.connection.send(Buffer.from("GET / HTTP/1.1\r\n"), request, this.scope, {
      replied: ({ body }) => body.feed(this),
      failed: (reason) => this.failed(reason),
    });
  }

  take(piece: Uint8Array): undefined {
    this.text += Buffer.from(piece).toString();
  }

  ended(): void {
    this.end = "ended";
  }

  failed(reason: unknown): void {
    this.end = asGatewayError(reason).code;
  }

  get outcome(): readonly unknown[] {
    const { usable } = this.connection;
    return [this.text, this.end, this.released, usable, this.socket.destroyed];
  }
}

const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

const ends = ["none", "last chunk", "surplus", "half closed", "closed", "broken", "cancelled"] as const;

function finish({ connection, scope }: Exchanged, end: (typeof ends)[number]): void {
  switch (end) {
    case "none":
      return;
    case "last chunk":
      return connection.onData(Buffer.from("0\r\n\r\n"));
    case "surplus":
      return connection.onData(Buffer.from("0\r\n\r\nHTTP/1.1 200 OK\r\n"));
    case "half closed":
      return connection.onEnd();
    case "closed":
      return connection.onClose();
    case "broken":
      return connection.onError(new Error("reset"));
    case "cancelled":
      return scope.cancel(new Error("enough"));
  }
}

test("unread: the same text and the same end, wherever what comes is cut and turns are over", async () => {
  const texts = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" }), { maxLength: 6 });
  const steps = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 60 }), isTurn: fc.boolean() }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(texts, steps, fc.constantFrom(...ends), async (events, cuts, end) => {
      const bytes = Buffer.from(head + events.map(chunk).join(""));
      const unread = new Unread();
      const patient = new Exchanged(true, unread);
      const prompt = new Exchanged(false, unread);
      for (let at = 0, step = 0; at < bytes.length; step += 1) {
        const { bytes: size, isTurn } = cuts[step % cuts.length] ?? { bytes: 1, isTurn: true };
        for (const { connection } of [patient, prompt]) connection.onData(bytes.subarray(at, at + size));
        at += size;
        if (isTurn) await turn();
      }
      // A reader that gives up may not have what came in this turn.
      if (end === "cancelled") await turn();
      for (const exchanged of [patient, prompt]) finish(exchanged, end);
      await turn();
      assert.deepEqual(patient.outcome, prompt.outcome);
      assert.equal(patient.text, events.join(""));
    }),
    { numRuns: 200 },
  );
});

test("unread: what comes is taken when the turn is over, and not before", async () => {
  const exchanged = new Exchanged(true, new Unread());
  exchanged.connection.onData(Buffer.from(head));
  exchanged.connection.onData(Buffer.from(chunk("one")));
  assert.equal(exchanged.text, "");
  await turn();
  assert.equal(exchanged.text, "one");
  // Two of one turn keep their order.
  for (const text of ["two", "three"]) exchanged.connection.onData(Buffer.from(chunk(text)));
  await turn();
  assert.equal(exchanged.text, "onetwothree");
});

test("unread: what it brings is done in the same turn", async () => {
  const done: string[] = [];
  beforeTurnEnd(() => {
    done.push("read");
    atTurnEnd(() => {
      done.push("written");
      atTurnEnd(() => done.push("of the next"));
    });
  });
  await turn();
  assert.deepEqual(done, ["read", "written"]);
  await turn();
  assert.deepEqual(done, ["read", "written", "of the next"]);
});
