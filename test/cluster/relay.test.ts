// Streams that another process sends: held up for a client that reads slowly, and not by messages that were lost.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventSink } from "../../lib/front/eventlog.ts";
import type { HttpReply } from "../../lib/front/exchange.ts";
import { BusRelay } from "../../lib/front/relay.ts";
import { eventReply, isEvents } from "../../lib/front/reply.ts";
import { anonymous } from "../../lib/core/principal.ts";
import { incomingOf } from "../front/exchange.ts";
import { within } from "../front/peer.ts";
import { connectBuses } from "./buses.ts";

const limits = { timeout: 90_000 };

/** The connection of a client that reads when the test says so. */
class Client implements EventSink {
  readonly texts: string[] = [];
  relief: PromiseWithResolvers<void> | undefined;

  get congestion(): Promise<void> | undefined {
    return this.relief?.promise;
  }

  write(frame: Uint8Array): void {
    this.texts.push(Buffer.from(frame).toString());
  }

  end(): void {}

  /** It reads again. */
  drain(): void {
    this.relief?.resolve();
    this.relief = undefined;
  }
}

interface Relayed {
  readonly client: Client;
  /** Where the stream is written to, in the process that has it. */
  readonly far: EventSink;
  readonly send: (text: string) => void;
  readonly close: () => void;
}

/** A stream of one process for a client of another one. */
async function relayed(): Promise<Relayed> {
  const [near, distant] = connectBuses(["0000000a", "0000000b"], () => Promise.resolve());
  assert.ok(near && distant);
  const opened = Promise.withResolvers<EventSink>();
  const receive = (): HttpReply => eventReply((sink) => (opened.resolve(sink), () => {}));
  const relays = [new BusRelay(near, receive), new BusRelay(distant, receive)] as const;
  const request = incomingOf(new Request("http://127.0.0.1:7337/mcp", { method: "GET" }));
  const reply = await within(relays[0].pass(distant.node, request, new Uint8Array(), anonymous), "the answer");
  assert.ok(reply && isEvents(reply.body));
  const client = new Client();
  reply.body.open(client);
  const far = await within(opened.promise, "the stream");
  return {
    client,
    far,
    send: (text) => far.write(Buffer.from(text)),
    close: () => {
      for (const relay of relays) relay.close();
    },
  };
}

test("relay: a client that reads slowly holds up the process that sends, until it reads again", limits, async () => {
  const { client, far, send, close } = await relayed();
  try {
    send("one");
    assert.equal(far.congestion, undefined);
    client.relief = Promise.withResolvers();
    send("two");
    const held = far.congestion;
    assert.ok(held);
    client.drain();
    await within(held, "the client");
    assert.equal(far.congestion, undefined);
    send("three");
    assert.equal(far.congestion, undefined);
    assert.deepEqual(client.texts, ["one", "two", "three"]);
  } finally {
    close();
  }
});

test("relay: who sends waits for no process that says nothing more, and is told again", limits, async () => {
  const { client, far, send, close } = await relayed();
  try {
    client.relief = Promise.withResolvers();
    send("one");
    await within(far.congestion ?? Promise.reject(new Error("it is not held up")), "the next look");
    assert.equal(far.congestion, undefined);
    send("two");
    const held = far.congestion;
    assert.ok(held, "told again");
    far.end();
    await within(held, "the end of the stream");
  } finally {
    close();
  }
});
