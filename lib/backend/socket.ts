// Opens the connection to a backend's origin: DNS, TCP, TLS, and the errors that say that nothing was sent.
import * as net from "node:net";
import * as tls from "node:tls";
import { GatewayError } from "../core/errors.ts";
import { after, type Scope } from "../core/scope.ts";

/** Probes keep middleboxes from forgetting a silent stream, and find a peer that vanished. */
const KEEP_ALIVE_PROBE_MS = 15_000;

export interface TlsOptions {
  /** PEM of the certificate authorities to trust instead of the runtime's. */
  readonly ca?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Where connections of one pool lead. */
export interface Target {
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** host:port, for messages and the Host header: no credentials, no path. */
  readonly name: string;
  /** Value of the Host header. */
  readonly authority: string;
}

export function targetOf(origin: URL): Target {
  const secure = origin.protocol === "https:";
  if (!secure && origin.protocol !== "http:") {
    throw new GatewayError("usage", `"${origin.protocol}//" is not a scheme of an HTTP backend: use http or https`);
  }
  const host = origin.hostname.replace(/^\[|\]$/g, "");
  const port = origin.port === "" ? (secure ? 443 : 80) : Number(origin.port);
  return { secure, host, port, name: `${origin.hostname}:${port}`, authority: origin.host };
}

interface OpenOptions {
  readonly connectTimeoutMs: number;
  readonly tls?: TlsOptions;
}

/**
 * Opens one connection, with TLS done. Every rejection means that nothing of a request was sent: `GatewayError`
 * "unreachable" or "connectTimeout" with `data.sent` false, or the scope's reason.
 */
export function openConnection(target: Target, options: OpenOptions, scope: Scope): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    if (scope.cancelled) return reject(scope.reason);
    const socket = target.secure ? connectTls(target, options.tls) : connectTcp(target);
    // An error between here and the next owner's listeners, or after the socket was given up, must not end the process.
    socket.on("error", () => {});
    const settle = (outcome: () => void): void => {
      stopTimer();
      release();
      socket.off("error", onError).off("close", onClose);
      outcome();
    };
    const abandon = (reason: unknown): void =>
      settle(() => {
        socket.destroy();
        reject(reason);
      });
    const onError = (error: unknown): void => abandon(unreachable(target, error));
    const onClose = (): void => abandon(unreachable(target, undefined));
    socket.on("error", onError).on("close", onClose);
    socket.once(target.secure ? "secureConnect" : "connect", () => settle(() => resolve(socket)));
    const stopTimer = after(options.connectTimeoutMs, () => abandon(connectTimeout(target, options.connectTimeoutMs)));
    const release = scope.onCancel(abandon);
  });
}

function connectTcp(target: Target): net.Socket {
  return net.connect({
    host: target.host,
    port: target.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
    // Tries the next address of a name when one does not answer: "localhost" may be ::1 while the server has 127.0.0.1.
    autoSelectFamily: true,
  });
}

function connectTls(target: Target, options: TlsOptions = {}): net.Socket {
  const connectOptions = {
    host: target.host,
    port: target.port,
    // An address is no server name (RFC 6066, section 3).
    ...(net.isIP(target.host) === 0 ? { servername: target.host } : {}),
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    rejectUnauthorized: options.rejectUnauthorized ?? true,
    ALPNProtocols: ["http/1.1"],
    autoSelectFamily: true,
  };
  const socket = tls.connect(connectOptions);
  return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
}

function unreachable(target: Target, cause: unknown): GatewayError {
  const code = errorCode(cause) ?? "connection closed";
  const message = `${target.name} ${describe(code)} (${code})`;
  return new GatewayError("unreachable", message, { cause, data: { sent: false } });
}

function connectTimeout(target: Target, timeoutMs: number): GatewayError {
  const message = `${target.name} did not accept a connection within ${timeoutMs} ms`;
  return new GatewayError("connectTimeout", message, { data: { sent: false } });
}

function describe(code: string): string {
  if (code === "ECONNREFUSED") return "refused the connection";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "ENODATA") return "is not a known host name";
  if (code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH") return "does not answer";
  if (/CERT|SIGNED|SIGNATURE|VERIFY/.test(code)) return "has a certificate that is not trusted";
  if (/SSL|TLS|EPROTO/.test(code)) return "does not speak TLS as expected";
  return "cannot be connected to";
}

/** The system's or the TLS library's code of an error, its causes and its parts included. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  // Several addresses were tried: the first one's failure stands for all.
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  return errorCode(error.cause);
}
