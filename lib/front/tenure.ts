// How many streams that only listen a principal may hold, and for how long: none outlives what was shown for it, nor what
// of the config lets them in. Loaded with the first of them.

import { GatewayError } from "../core/errors.ts";
import { type Principal, untilExpiry } from "../core/principal.ts";
import { Slots } from "../resilience/slots.ts";
import type { EventSink } from "./eventlog.ts";
import {
  type Answer,
  type EventBody,
  type Gone,
  type HttpReply,
  type HttpRequest,
  type Leave,
  tellGone,
} from "./exchange.ts";
import { errorReply, isEvents } from "./reply.ts";

export interface TenureTerms {
  readonly who: Principal;
  /** Streams of one principal. */
  readonly most: number;
  /** False for a stream that counts at the process that has its client's connection, which is another one. */
  readonly isCounted: boolean;
  /** Whether it goes on under a new plan that lets its principal in as before; undefined: it does. */
  readonly stays: (() => boolean) | undefined;
}

export class Tenures {
  readonly #slots: Slots = new Slots(Infinity, tooManyStreams);
  readonly #held = new Set<Tenure>();
  /** By requests that wait for their answer. */
  readonly #begun = new WeakMap<HttpRequest, Tenure>();
  readonly #over = (tenure: Tenure): void => {
    this.#held.delete(tenure);
    if (tenure.isCounted) this.#slots.give(tenure.terms.who.id);
  };

  /**
   * The same answer: where it is a stream it is one of the principal's, and ends with what they showed. With `isStream` it
   * counts while it is waited for: many that begin at once are no more than they may be.
   */
  async listen(request: HttpRequest, terms: TenureTerms, isStream: boolean, answer: () => Answer): Promise<HttpReply> {
    // A request that is judged once more is still one, whoever hears it.
    const own = request.inner ?? request;
    this.#begun.get(own)?.finish();
    const tenure = new Tenure(terms, this.#over);
    this.#held.add(tenure);
    this.#begun.set(own, tenure);
    try {
      const answering = answer();
      // What is refused at once is no stream.
      if (isStream && answering instanceof Promise && !this.#count(tenure)) {
        tenure.finish();
        answering.then(drop, () => {});
        return refusal(terms);
      }
      const reply = await answering;
      // What came of the second time is bounded already.
      if (this.#begun.get(own) !== tenure) return reply;
      this.#begun.delete(own);
      if (isEvents(reply.body) && this.#count(tenure)) return { ...reply, body: tenure.carry(reply.body) };
      tenure.finish();
      return isEvents(reply.body) ? refusal(terms) : reply;
    } catch (error) {
      tenure.finish();
      throw error;
    }
  }

  /** There is a new plan: ends the streams of those whom it does not let in as before. */
  review(isGood: (who: Principal) => boolean): void {
    for (const tenure of [...this.#held]) {
      const { who, stays } = tenure.terms;
      if (!isGood(who) || stays?.() === false) tenure.revoke();
    }
  }

  /** False where the principal has as many as they may. */
  #count(tenure: Tenure): boolean {
    const { who, most, isCounted } = tenure.terms;
    if (!isCounted || tenure.isCounted || tenure.isOver) return true;
    this.#slots.most = most;
    if (!this.#slots.allows(who.id)) return false;
    this.#slots.take(who.id);
    return (tenure.isCounted = true);
  }
}

/** One stream: between what writes it and the connection that carries it. */
class Tenure implements EventBody, EventSink, Gone {
  readonly terms: TenureTerms;
  readonly #over: (tenure: Tenure) => void;
  isCounted = false;
  isOver = false;
  #body: EventBody | undefined;
  #sink: EventSink | undefined;
  #leave: Leave | undefined;
  #stopWaiting: (() => void) | undefined;

  constructor(terms: TenureTerms, over: (tenure: Tenure) => void) {
    this.terms = terms;
    this.#over = over;
  }

  carry(body: EventBody): this {
    this.#body = body;
    return this;
  }

  open(sink: EventSink): Gone {
    const body = this.#body;
    // A new plan may have come while it began.
    const wasOver = this.isOver;
    this.#body = undefined;
    this.#sink = sink;
    if (!wasOver) this.#stopWaiting = untilExpiry(this.terms.who, () => this.revoke());
    this.#leave = body?.open(this);
    if (wasOver) this.#end();
    return this;
  }

  drop(): void {
    this.finish();
    this.#body?.drop?.();
  }

  get congestion(): Promise<void> | undefined {
    return this.#sink?.congestion;
  }

  write(frame: Uint8Array): void {
    if (!this.isOver) this.#sink?.write(frame);
  }

  end(): void {
    this.finish();
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end();
  }

  gone(): void {
    this.finish();
    const leave = this.#leave;
    this.#leave = undefined;
    tellGone(leave);
  }

  /** What was shown for it is good no more. */
  revoke(): void {
    if (this.isOver) return;
    this.finish();
    this.#end();
  }

  finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#stopWaiting?.();
    this.#over(this);
  }

  #end(): void {
    this.gone();
    this.end();
  }
}

/** An answer that comes too late. */
function drop({ body }: HttpReply): void {
  if (isEvents(body)) body.drop?.();
}

function refusal({ who, most }: TenureTerms): HttpReply {
  return errorReply(tooManyStreams(who.id, most), undefined, { "retry-after": "1" });
}

function tooManyStreams(who: string, most: number): GatewayError {
  const text = `${who} may hold ${most} event streams, and this is one more`;
  return new GatewayError("tooManyStreams", text, { data: { retryAfterMs: 1_000, limit: most } });
}
