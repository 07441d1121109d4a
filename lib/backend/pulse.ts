// Whether the other end of a link is still heard: one ping at a time, and the calls that move where it has no answer.

import { GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import type { Link } from "./link.ts";

/** A call in flight that may be sent elsewhere where its replica falls silent. */
export interface Mover {
  fellSilent(error: GatewayError): void;
}

/** A ping that has no answer yet, later than its asker could wait. */
export interface Silence {
  readonly link: Link;
  readonly since: number;
  readonly error: GatewayError;
}

/** A link with calls in flight of which nothing is heard for so long is pinged; for longer and longer where it answers. */
const quietMs = 1_000;
/** A ping without an answer for so long is a reason to send new calls elsewhere, and no more than that. */
const suspectMs = 1_000;

export class Pulse {
  /** Calls in flight that want to know of a silence. */
  readonly movers: Set<Mover> = new Set();
  readonly #pingMs: number;
  #ping: Promise<void> | undefined;
  #silence: Silence | undefined;
  /** A ping because of calls that nothing is heard of. */
  #doubt: Pick<Silence, "link" | "since"> | undefined;
  /** When its answer came: what is heard at another time is something else. */
  #pongAt = 0;
  #quietMs = quietMs;

  constructor(pingMs: number) {
    this.#pingMs = pingMs;
  }

  /** That the link did not answer the last ping, where nothing else was heard of it since. */
  silenceOf(link: Link | undefined): Silence | undefined {
    const silence = this.#silence;
    return silence?.link === link && silence && silence.link.heardAt <= silence.since ? silence : undefined;
  }

  /** That a ping has no answer for a while: less than a silence, and sooner known. */
  isDoubtful(link: Link): boolean {
    return this.#isUnheard(link) && Date.now() - (this.#doubt?.since ?? 0) >= suspectMs;
  }

  #isUnheard(link: Link): boolean {
    return this.#doubt?.link === link && link.heardAt <= this.#doubt.since;
  }

  /** Pings a link that works on calls in silence; `mostMs`: the longest pause. */
  feel(link: Link, mostMs: number): void {
    if (link.calls.size === 0 || this.#isUnheard(link)) return;
    if (link.heardAt !== this.#pongAt) this.#quietMs = quietMs;
    const since = Date.now();
    if (since - link.heardAt < Math.min(this.#quietMs, mostMs)) return;
    this.#doubt = { link, since };
    const patience = new Scope(undefined, this.#pingMs);
    const answered = (): void => {
      this.#pongAt = link.heardAt;
      this.#quietMs *= 2;
    };
    // A wire that cannot be sent on says so itself.
    void link
      .request("ping", undefined, patience)
      .then(answered, () => {})
      .finally(() => patience[Symbol.dispose]());
  }

  /** Resolves when no ping is under way. */
  async looked(scope: Scope): Promise<void> {
    if (this.#ping) await scope.race(this.#ping);
  }

  /** Pings once, however many ask; one that does not answer within `timeoutMs` is silent until it is heard. */
  async verify(link: Link, scope: Scope, timeoutMs: number = this.#pingMs): Promise<void> {
    const since = Date.now();
    this.#ping ??= this.#probe(link).finally(() => {
      this.#ping = undefined;
    });
    using patience = new Scope(scope, timeoutMs);
    try {
      await patience.race(this.#ping);
    } catch {
      // The asker went away: that says nothing.
      if (!scope.cancelled) this.#silence = { link, since, error: unheard(link, timeoutMs) };
    }
  }

  /** What waits for a silent link goes to another replica, where it can. */
  release(link: Link | undefined): void {
    const silence = this.silenceOf(link);
    if (silence) for (const mover of [...this.movers]) mover.fellSilent(silence.error);
  }

  /** A backend that does not answer loses its link, unless it works on a call. */
  async #probe(link: Link): Promise<void> {
    const since = Date.now();
    using patience = new Scope(undefined, this.#pingMs);
    try {
      await link.request("ping", undefined, patience);
    } catch (error) {
      if (!link.usable) return;
      if (error instanceof GatewayError) return link.retired(error);
      const silence = unheard(link, this.#pingMs);
      // Many servers answer nothing while they work on a call; ending those would end the call.
      if (link.calls.callers().length === 0) return void link.close(silence);
      if (link.heardAt > since) return;
      this.#silence = { link, since, error: silence };
      this.release(link);
    }
  }
}

function unheard({ backend }: Link, timeoutMs: number): GatewayError {
  const text = `backend "${backend}" did not answer a ping within ${timeoutMs} ms`;
  return new GatewayError("lost", text, { backend, data: { sent: true } });
}
