// How many streams that only listen a principal may hold, and for how long: none outlives what was shown for it.

import { GatewayError } from "../core/errors.ts";
import { type Principal, untilExpiry } from "../core/principal.ts";
import { Slots } from "../resilience/slots.ts";
import type { EventSink } from "./eventlog.ts";
import { type EventBody, type HttpReply, type Leave, tellGone } from "./exchange.ts";
import { errorReply, isEvents } from "./reply.ts";

export class Tenures {
  readonly #slots: Slots = new Slots(Infinity, tooManyStreams);

  /** The same answer: where it is a stream it counts as one of the principal's, and ends with what they showed. */
  bound(reply: HttpReply, who: Principal, most: number): HttpReply {
    const { body } = reply;
    if (!isEvents(body)) return reply;
    this.#slots.most = most;
    if (!this.#slots.allows(who.id)) return errorReply(tooManyStreams(who.id, most), undefined, { "retry-after": "1" });
    return { ...reply, body: { open: (sink) => this.#open(body, sink, who) } };
  }

  #open(body: EventBody, sink: EventSink, who: Principal): Leave {
    let isOver = false;
    this.#slots.take(who.id);
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      stopWaiting();
      this.#slots.give(who.id);
    };
    let leave: Leave = () => {};
    const stopWaiting = untilExpiry(who, () => {
      tellGone(leave);
      if (isOver) return;
      end();
      sink.end();
    });
    leave = body.open(watched(sink, end));
    return () => {
      end();
      tellGone(leave);
    };
  }
}

/** The same sink; `ended` hears when nothing more is written to it. */
function watched(sink: EventSink, ended: () => void): EventSink {
  return {
    get congestion() {
      return sink.congestion;
    },
    write: (frame) => sink.write(frame),
    end: () => {
      ended();
      sink.end();
    },
  };
}

function tooManyStreams(who: string, most: number): GatewayError {
  const text = `${who} may hold ${most} event streams, and this is one more`;
  return new GatewayError("tooManyStreams", text, { data: { retryAfterMs: 1_000, limit: most } });
}
