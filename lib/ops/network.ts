// What lies between this machine and a server: name, connection and TLS, each with its time; nothing of MCP yet.

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { proxyFor } from "../backend/proxy.ts";
import { familyOf, type Target as Place, targetOf } from "../backend/target.ts";
import { readTrust } from "../backend/trust.ts";
import type { HttpReplicaPlan } from "../config/plan.ts";
import { dns, net, tls } from "../core/builtins.ts";
import { GatewayError } from "../core/errors.ts";
import type { Scope } from "../core/scope.ts";

/** One step on the way, and how long it took. */
export interface Step {
  readonly name: "dns" | "tcp" | "tls";
  readonly ms: number;
  readonly ok: boolean;
  /** Where it failed: the code of the system. */
  readonly detail: string;
}

export interface Certificate {
  /** Unix ms. */
  readonly expiresAt: number;
  readonly subject: string;
}

export interface Way {
  readonly steps: readonly Step[];
  readonly tlsVersion: string | undefined;
  readonly certificate: Certificate | undefined;
}

/** Goes the way once, calling `step` after each part of it; rejects with a `GatewayError` "unreachable" where it ends. */
export async function goWay(replica: HttpReplicaPlan, scope: Scope, heard: (step: Step) => void): Promise<Way> {
  const place = targetOf(new URL(replica.url));
  const steps: Step[] = [];
  const note = (step: Step): void => {
    steps.push(step);
    heard(step);
  };
  // What a proxy stands before cannot be looked at from here; the handshake says how it is.
  if (proxyFor(place, process.env)) return { steps, tlsVersion: undefined, certificate: undefined };
  const address = await resolveHost(place, scope, note);
  const socket = await connect(place, address, scope, note);
  try {
    if (!place.secure) return { steps, tlsVersion: undefined, certificate: undefined };
    return { steps, ...(await secure(socket, place, replica, scope, note)) };
  } finally {
    socket.destroy();
  }
}

type Note = (step: Step) => void;

async function resolveHost(place: Place, scope: Scope, note: Note): Promise<string> {
  if (place.socketPath !== undefined || familyOf(place.host) !== 0) return place.host;
  const startedAt = performance.now();
  try {
    const { address } = await scope.race(dns().lookup(place.host));
    note({ name: "dns", ms: performance.now() - startedAt, ok: true, detail: address });
    return address;
  } catch (error) {
    note({ name: "dns", ms: performance.now() - startedAt, ok: false, detail: codeOf(error) });
    if (scope.cancelled) throw scope.reason;
    throw unreachable(`${place.host} has no address (${codeOf(error)})`, error);
  }
}

async function connect(place: Place, address: string, scope: Scope, note: Note): Promise<Socket> {
  const startedAt = performance.now();
  const { socketPath, port, name } = place;
  const socket = socketPath === undefined ? net().connect(port, address) : net().connect(socketPath);
  try {
    await settled(socket, "connect", scope);
  } catch (error) {
    const code = codeOf(error);
    note({ name: "tcp", ms: performance.now() - startedAt, ok: false, detail: code });
    if (scope.cancelled) throw scope.reason;
    const what = code === "ECONNREFUSED" ? "refused the connection" : "cannot be connected to";
    throw unreachable(`${name} ${what} (${code})`, error);
  }
  note({ name: "tcp", ms: performance.now() - startedAt, ok: true, detail: socketPath ?? `${address} port ${port}` });
  return socket;
}

async function secure(
  socket: Socket,
  place: Place,
  replica: HttpReplicaPlan,
  scope: Scope,
  note: Note,
): Promise<Pick<Way, "tlsVersion" | "certificate">> {
  const startedAt = performance.now();
  const servername = familyOf(place.host) === 0 ? place.host : "";
  const secured: TLSSocket = tls().connect({ socket, servername, host: place.host, ...readTrust(replica.tls) });
  try {
    await settled(secured, "secureConnect", scope);
    const tlsVersion = secured.getProtocol() ?? undefined;
    const peer = secured.getPeerCertificate();
    const expiresAt = Date.parse(peer.valid_to ?? "");
    const certificate = Number.isNaN(expiresAt) ? undefined : { expiresAt, subject: String(peer.subject?.CN ?? "") };
    const days = certificate && Math.floor((expiresAt - Date.now()) / 86_400_000);
    const detail = `${tlsVersion ?? "TLS"}${days === undefined ? "" : `, certificate for ${days} more days`}`;
    note({ name: "tls", ms: performance.now() - startedAt, ok: true, detail });
    return { tlsVersion, certificate };
  } catch (error) {
    note({ name: "tls", ms: performance.now() - startedAt, ok: false, detail: codeOf(error) });
    if (scope.cancelled) throw scope.reason;
    throw unreachable(`${place.name} did not complete the TLS handshake (${codeOf(error)})`, error);
  } finally {
    secured.destroy();
  }
}

function settled(socket: Socket, event: string, scope: Scope): Promise<void> {
  return new Promise((resolve, reject) => {
    const release = scope.onCancel((reason) => {
      socket.destroy();
      reject(reason);
    });
    socket.once(event, () => {
      release();
      resolve();
    });
    // Kept for good: an error after the first must not end the program.
    socket.on("error", (error) => {
      release();
      reject(error);
    });
    socket.once("close", () => reject(new Error("closed")));
  });
}

function unreachable(message: string, cause: unknown): GatewayError {
  return new GatewayError("unreachable", message, { cause, data: { sent: false } });
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
