// Requests of a gateway with several processes: what one of them knows, and another one was asked.

import { asGatewayError, GatewayError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import type { Session } from "../route/session.ts";
import type { HttpReply, HttpRequest, Relay } from "./exchange.ts";
import { errorReply } from "./reply.ts";

export const sessionUnknown = (): GatewayError =>
  new GatewayError("sessionUnknown", "the session is unknown or has ended");

/** Goes on with a session as soon as other processes have said what they know of it, mostly at once. */
export function whenJoined(
  session: Session,
  next: (session: Session) => HttpReply | Promise<HttpReply>,
  refuse: (error: unknown) => HttpReply,
): HttpReply | Promise<HttpReply> {
  return session.joining ? later(session, session.joining, next, refuse) : next(session);
}

async function later(
  session: Session,
  joining: Promise<boolean>,
  next: (session: Session) => HttpReply | Promise<HttpReply>,
  refuse: (error: unknown) => HttpReply,
): Promise<HttpReply> {
  try {
    if (!(await joining)) throw sessionUnknown();
    return await next(session);
  } catch (error) {
    return refuse(error);
  }
}

/** The answer of another process, or where that is gone, the one that can be given here. */
export async function passOr(
  relay: Relay,
  node: string,
  request: HttpRequest,
  who: Principal,
  here: () => HttpReply | Promise<HttpReply>,
  body: Uint8Array = new Uint8Array(),
): Promise<HttpReply> {
  try {
    return (await relay.pass(node, request, body, who)) ?? (await here());
  } catch (error) {
    return errorReply(asGatewayError(error), undefined);
  }
}
