// What the routes ask of the other processes of the gateway, where there are any.

import type { Envelope } from "../core/envelope.ts";
import type { Principal } from "../core/principal.ts";
import type { RateLimit, RateTerms } from "../resilience/rates.ts";
import type { ActiveCall, Session, SessionFacts } from "./session.ts";

/** A request that another process has let in, and counts. */
export interface Handed {
  /** Who sent it there, and what they see. */
  readonly who: Principal;
  readonly facts: SessionFacts;
  /** Whom it went to. */
  backend: string;
}

export interface Cluster {
  /** This process. */
  readonly node: string;
  /** A new session. */
  created(session: Session): void;
  /** A session that another process, or an earlier one, has begun; `session.joining` is set while others are asked. */
  joins(session: Session): void;
  /** The session is over for all; resolves when they know. */
  ended(session: Session): Promise<void>;
  /** An answer, or progress, to a request that another process has sent to the client. */
  handOn(session: Session, message: Envelope): void;
  /** A call is taken back that is not in flight here. */
  cancel(session: Session, notice: Envelope): void;
  /** A notification for the backends: each process has links of its own. */
  broadcast(session: Session, notice: Envelope): void;
  /** The client opened the stream of its session here, behind the event of this id. */
  took(session: Session, lastEventId: string | undefined): void;
  /** The client has left its stream. */
  left(session: Session): void;
  /**
   * Has a request answered by the process that has the session's stream, for who sent it; undefined where that is this one,
   * or none.
   */
  atHome(request: Envelope, call: ActiveCall): Promise<Uint8Array> | undefined;
  /** What the session listens to has changed here, or the level of messages that it wants. */
  noted(session: Session, isLevel: boolean): Promise<void>;
  /** What a backend offers has changed for an owner; resolves when other processes know, or a while later. */
  changed(backend: string, owner: string, member: string): Promise<void>;
  /** Whether each process has a part of its own of a backend: its answers may be understood here alone. */
  isSplit(backend: string): boolean;
  /** A limit that all processes keep together. */
  ratesOf(name: string, terms: RateTerms): RateLimit;
  /** Adds to what is counted under a name until it is forgotten; resolves to all of it, and rejects where nobody knows. */
  add(name: string, amount: number, ttlMs: number): Promise<number>;
  /** A backend is to be left alone for a while, or some replica of it. */
  closed(backend: string, replica: number | undefined, until: number): void;
}
