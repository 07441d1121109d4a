// TLS for those who come in: what the runtimes share of it, and what a client showed of itself.

import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { tls } from "./builtins.ts";
import { GatewayError } from "./errors.ts";
import type { TcpSocket } from "./tcp-socket.ts";
import type { TcpServer } from "./tcp.ts";

/** PEM texts. */
export interface ServerPem {
  readonly cert: string;
  readonly key: string;
  /** Authorities that certificates of clients must be from; undefined: none is asked for. */
  readonly clientCa: string | undefined;
}

/** A certificate of a client, from one of the authorities. */
export interface ClientCertificate {
  /** Its URI, else its common name. */
  readonly name: string;
  /** Organizational units. */
  readonly groups: readonly string[];
  /** SHA-256 in base64url, as tokens that are bound to it say it. */
  readonly thumbprint: string;
  /** Unix ms. */
  readonly expiresAt: number;
}

export interface TlsServer extends TcpServer {
  /** New connections get these; throws where they are no good, and the old ones stay. */
  renew(pem: ServerPem): void;
}

export interface TlsAddress {
  readonly host: string;
  readonly port: number;
  /** A client that takes longer to shake hands is cut. */
  readonly handshakeMs: number;
  /** Connections that shake hands at the same time; one more takes the place of the oldest. */
  readonly maxShaking: number;
  /** Other processes that say so too listen there as well. */
  readonly isShared?: boolean | undefined;
}

type Accept = (socket: TcpSocket, certificate: ClientCertificate | undefined) => void;

/** Rejects with the system's error, or with `configInvalid` for a certificate or key that is no good. */
export async function serveTls(
  { host, port, handshakeMs, maxShaking, isShared = false }: TlsAddress,
  pem: ServerPem,
  accept: Accept,
): Promise<TlsServer> {
  const options = {
    ...contextOf(pem),
    // Who shows none, or a wrong one, is answered: with 401, where nothing else of it is known.
    requestCert: pem.clientCa !== undefined,
    rejectUnauthorized: false,
    allowHalfOpen: true,
    handshakeTimeout: handshakeMs,
    ALPNProtocols: ["http/1.1"],
  };
  const shaking = new Map<string, Socket>();
  const server = tls().createServer(options, (socket) => {
    shaking.delete(placeOf(socket));
    socket.setNoDelay(true);
    accept(socket, certificateOf(socket));
  });
  server.on("connection", (socket: Socket) => {
    const place = placeOf(socket);
    shaking.set(place, socket);
    socket.once("close", () => void (shaking.get(place) === socket && shaking.delete(place)));
    const [oldest] = shaking;
    if (shaking.size <= maxShaking || !oldest) return;
    shaking.delete(oldest[0]);
    oldest[1].destroy();
  });
  server.on("tlsClientError", (_, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, reusePort: isShared }, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : port,
    close: () => void (server.listening && server.close()),
    renew: (next) => server.setSecureContext(contextOf(next)),
  };
}

/** The same for a connection and the TLS on it, which are two objects on some runtimes. */
function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function contextOf({ cert, key, clientCa }: ServerPem): { cert: string; key: string; ca?: string } {
  const context = { cert, key, ...(clientCa === undefined ? {} : { ca: clientCa }) };
  try {
    // It is tried before it is used: some runtimes would take what is no good, and fail with each connection.
    tls().createSecureContext(context);
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw new Error("they do not belong together");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new GatewayError("configInvalid", `certificate and key of tls cannot be used: ${why}`, { cause: error });
  }
  return context;
}

function certificateOf(socket: TLSSocket): ClientCertificate | undefined {
  if (!socket.authorized) return undefined;
  const { subject, subjectaltname = "", raw, valid_to: end } = socket.getPeerCertificate();
  // What is quoted holds something that would be read wrong, and is no name here.
  const uri = /(?:^|, )URI:([^\s",]+)(?=$|, )/.exec(subjectaltname)?.[1];
  const name = uri ?? textsOf(subject.CN)[0];
  const expiresAt = Date.parse(end);
  if (name === undefined || Number.isNaN(expiresAt)) return undefined;
  return {
    name,
    groups: textsOf(subject.OU),
    thumbprint: createHash("sha256").update(raw).digest("base64url"),
    expiresAt,
  };
}

function textsOf(value: string | readonly string[] | undefined): readonly string[] {
  return typeof value === "string" ? [value] : (value ?? []);
}
