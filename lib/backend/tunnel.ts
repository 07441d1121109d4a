// A tunnel through an HTTP proxy: CONNECT, and whatever answer the proxy has to it.
import type * as net from "node:net";
import { GatewayError } from "../core/errors.ts";
import type { Scope } from "../core/scope.ts";
import { type ResponseHead, responseGrammar } from "./http1-head.ts";
import { MessageParser } from "./http1.ts";
import type { Proxy } from "./proxy.ts";
import type { Target } from "./target.ts";

/** Of the proxy's answer: no proxy needs more. */
const MAX_HEAD_BYTES = 16 * 1024;

/**
 * Asks the proxy behind `socket` for a connection to `target`; resolves when the socket leads there. Rejections destroy
 * the socket: a `GatewayError` "unreachable", the socket's own error, or the scope's reason.
 */
export function openTunnel(socket: net.Socket, proxy: Proxy, target: Target, scope: Scope): Promise<void> {
  return new Promise((resolve, reject) => {
    if (scope.cancelled) return reject(scope.reason);
    const settle = (outcome: () => void): void => {
      release();
      socket.off("data", onData).off("end", onEnd).off("error", fail).off("close", onEnd);
      outcome();
    };
    const fail = (reason: unknown): void =>
      settle(() => {
        socket.destroy();
        reject(reason);
      });
    const refuse = (what: string): void =>
      fail(new GatewayError("unreachable", `the proxy ${proxy.name} ${what}`, { data: { sent: false } }));
    let head: ResponseHead | undefined;
    // The body of an answer to CONNECT is the tunnel (RFC 9110, section 9.3.6); that of a refusal is not read.
    const parser = new MessageParser(
      responseGrammar(true),
      { onHead: (read: ResponseHead) => (head = read), onBody: () => {}, onDone: () => {} },
      MAX_HEAD_BYTES,
    );
    const onData = (bytes: Uint8Array): void => {
      const wrong = parser.push(bytes);
      if (wrong !== undefined) return refuse(`does not answer in valid HTTP/1.1: ${wrong}`);
      if (head === undefined) return;
      if (head.status >= 300) return refuse(`did not connect to ${target.name}: ${describe(head.status)}`);
      // TLS starts with us, so that these bytes are not the target's.
      if (parser.surplus > 0) return refuse("sent bytes after its answer");
      settle(resolve);
    };
    const onEnd = (): void => refuse(`closed the connection when asked for ${target.name}`);
    const release = scope.onCancel(fail);
    socket.on("data", onData).on("end", onEnd).on("error", fail).on("close", onEnd);
    socket.write(encodeConnect(proxy, target));
  });
}

function encodeConnect({ authorization }: Proxy, { host, port }: Target): string {
  const authority = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const credentials = authorization === undefined ? "" : `proxy-authorization: ${authorization}\r\n`;
  return `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`;
}

function describe(status: number): string {
  if (status === 407) return "it wants other credentials (HTTP 407)";
  if (status === 403) return "it is not allowed to (HTTP 403)";
  return `HTTP ${status}`;
}
