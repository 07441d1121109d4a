// One HTTP request of a client and its answer, as the routes of the front see them.

import type { Principal } from "../core/principal.ts";
import type { ClientCertificate } from "../core/tls-server.ts";
import type { EventSink } from "./eventlog.ts";

export interface HttpRequest {
  readonly method: string;
  /** As it was sent, without the query; starts with "/". */
  readonly path: string;
  /** Without its "?"; empty where there is none. */
  readonly query: string;
  /** Value of a header by its lower-case name; repeated fields are joined with ", ". */
  header(name: string): string | undefined;
  /** All of them, by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** It came by way of another process of the gateway. */
  readonly isRelayed: boolean;
  /**
   * The whole body; at once where it is here already. Fails with `tooLarge` over `maxBytes`, without reading the rest,
   * and with `invalidRequest` where it is cut off or badly framed.
   */
  body(maxBytes: number): Uint8Array | Promise<Uint8Array>;
  /** Its body is asked for once more. */
  restore?(body: Uint8Array): void;
  /** The request that it is heard in place of. */
  readonly inner?: HttpRequest;
  /** The plan that let it in; undefined where another process of the gateway did. */
  judgedBy?: object | undefined;
  /** The same object for requests of one connection whose heads are the same: what was found of one holds for all. */
  readonly head: object;
  /** Requests of its connection that begin like this one may go straight from here on, behind a stream maybe. */
  offer?(lane: () => Lane, isStream?: boolean): void;
  /** What the client showed of itself when TLS began, where that is trusted. */
  certificate?: ClientCertificate | undefined;
  /** Whether the peer of its connection is on this machine: a client, or a proxy. */
  readonly isNear: boolean;
  /** Tells the one listener that there may be when the client is gone before it has the whole answer. */
  whenGone(listener: Leave): void;
}

/** Who hears that a client is gone, without a function of its own: many streams may be open. */
export interface Gone {
  gone(): void;
}

export type Leave = Gone | (() => void);

export function tellGone(leave: Leave | undefined): void {
  if (typeof leave === "function") leave();
  else leave?.gone();
}

/** Where requests go straight that have one head and come whole. */
export interface Lane {
  /** False where it takes nothing any more. */
  readonly isLive: boolean;
  /** Takes a request whose body begins at `start`; undefined, with nothing done, where it is to be read like any other. */
  take(client: LaneClient, bytes: Uint8Array, start: number): LaneCall | undefined;
}

/** A request that went straight, which its connection may have to be read like any other after all. */
export interface LaneCall {
  divert(): void;
}

/** The connection of a client, as a request sees it that goes straight. */
export interface LaneClient {
  /** Where its answer is put; `json` writes the head of one, and says where the body begins. */
  readonly encoder: { readonly room: Uint8Array; json(bodyBytes: number): number };
  /** The answer is in the room, up to this length. */
  sent(length: number): void;
  /** The request is to be read like any other, and `answer` gives its answer. */
  divert(bytes: Uint8Array, answer: (request: HttpRequest) => Promise<HttpReply>): void;
}

export type Headers = Readonly<Record<string, string>>;

/** A body that is written as it comes. */
export interface EventBody {
  /** Called once with where to write; returns who is to hear that the client is gone before the end. */
  open(sink: EventSink): Leave;
  /** Called in its place where nobody takes what comes; absent where that changes nothing. */
  drop?(): void;
}

export interface HttpReply {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Headers;
  readonly body: Uint8Array | EventBody | undefined;
}

/** The way to other processes of the gateway. */
export interface Relay {
  /** This process. */
  readonly node: string;
  /** The answer of another process to a request; resolves to undefined where that process is gone. */
  pass(node: string, request: HttpRequest, body: Uint8Array, who: Principal): Promise<HttpReply | undefined>;
}

export type Answer = HttpReply | Promise<HttpReply>;

export type Handle = (request: HttpRequest) => Answer;
