// Why a connection is of no use any more, in words.

import { GatewayError } from "../core/errors.ts";
import { errorCode } from "./socket.ts";

/** `name`: host:port. */
export function nothingSent(name: string): GatewayError {
  return new GatewayError("unreachable", `${name} closed the connection before anything was sent`, {
    data: { sent: false },
  });
}

/** `hasBegun`: the head of the answer has come. */
export function cutOff(name: string, hasBegun: boolean, cause: unknown): GatewayError {
  const when = hasBegun ? "before the end of its answer" : "before it answered";
  const code = errorCode(cause);
  const message = `${name} closed the connection ${when}${code === undefined ? "" : ` (${code})`}`;
  return new GatewayError("lost", message, { cause, data: { sent: true } });
}

export function notHttp(name: string, what: string): GatewayError {
  return new GatewayError("badProtocol", `${name} does not answer in valid HTTP/1.1: ${what}`, {
    data: { sent: true },
  });
}
