// What a server does at the edges of the protocol: other revisions, foreign web pages, sessions and cursors it never gave.

import { HttpPool } from "../backend/pool.ts";
import { endpointOf } from "../backend/target.ts";
import { readTrust } from "../backend/trust.ts";
import type { HttpReplicaPlan, ReplicaPlan } from "../config/plan.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { requestMessage } from "../core/rpc.ts";
import type { Scope } from "../core/scope.ts";
import { legacyCodec } from "../protocol/legacy.ts";
import { Evidence } from "./evidence.ts";
import type { Finding } from "./finding.ts";
import { askPage, declares, itemKinds } from "./pages.ts";
import { openPeer, type Patience, type Peer, within } from "./peer.ts";
import type { Target } from "./target.ts";
import { spokenVersions } from "./versions.ts";

const maxBytes = 64 * 1024;
const requestMs = 5_000;

/** All checks beyond a handshake; rejects only where the scope ends. */
export async function checkDeep(
  target: Target,
  replica: ReplicaPlan,
  peer: Peer,
  version: string,
  patience: Patience,
): Promise<readonly Finding[]> {
  const [versions, cursor, http] = await Promise.all([
    checkVersions(target, replica, version, patience),
    checkCursor(peer, patience),
    replica.kind === "http" ? checkHttp(replica, patience) : [],
  ]);
  return [...versions, ...cursor, ...http, ...checkAddress(replica)];
}

async function checkVersions(
  target: Target,
  replica: ReplicaPlan,
  version: string,
  patience: Patience,
): Promise<readonly Finding[]> {
  const spoken: string[] = [];
  for (const protocol of spokenVersions) {
    try {
      await using _peer = await openPeer({ target, replica, protocol, version, evidence: new Evidence() }, patience);
      spoken.push(protocol);
    } catch {
      if (patience.scope.cancelled) throw patience.scope.reason;
    }
  }
  return [{ severity: "info", rule: "versions", text: `speaks ${spoken.join(", ") || "no revision that is pinned"}` }];
}

async function checkCursor(peer: Peer, patience: Patience): Promise<readonly Finding[]> {
  const kind = itemKinds.find((each) => declares(peer, each));
  if (!kind) return [];
  try {
    const page = await askPage(peer, { kind }, "mcpctl-no-such-cursor", 2, patience);
    if (!page) return [];
    const text = "a cursor that was never given out is answered with a page instead of -32602";
    return [{ severity: "warning", rule: "cursor", text }];
  } catch (error) {
    const { code, message } = asGatewayError(error);
    if (code === "invalidParams") return [{ severity: "ok", rule: "cursor", text: "refuses an unknown cursor" }];
    return [{ severity: "warning", rule: "cursor", text: `an unknown cursor is not answered with -32602: ${message}` }];
  }
}

interface Seen {
  readonly status: number;
  readonly session: string | undefined;
}

async function checkHttp(replica: HttpReplicaPlan, patience: Patience): Promise<readonly Finding[]> {
  const url = new URL(replica.url);
  await using pool = new HttpPool(url, { connectTimeoutMs: requestMs, tls: readTrust(replica.tls) });
  const { path } = endpointOf(url);
  using scope = within(patience, requestMs * 4, () => new GatewayError("callTimeout", "the checks took too long"));
  const post = (method: string, params: unknown, more: readonly (readonly [string, string])[]): Promise<Seen> =>
    send(pool, path, replica, requestMessage(1, method, params), more, scope);
  const open = legacyCodec.openParams({ name: "mcpctl", version: "0", capabilities: {} });
  const findings: Finding[] = [];
  try {
    const foreign = await post(legacyCodec.openMethod, open, [["origin", "http://attacker.example"]]);
    findings.push(judgeOrigin(foreign.status, url));
    const { session, status } = await post(legacyCodec.openMethod, open, []);
    if (status < 300) {
      if (session !== undefined) {
        const version: readonly [string, string] = ["mcp-protocol-version", String(open["protocolVersion"])];
        const lost = await post("tools/list", {}, [["mcp-session-id", "mcpctl-no-such-session"], version]);
        findings.push(judge("session", "an unknown session", lost.status, [404]));
      }
      const own: readonly (readonly [string, string])[] = session === undefined ? [] : [["mcp-session-id", session]];
      const odd = await post("tools/list", {}, [...own, ["mcp-protocol-version", "1999-01-01"]]);
      findings.push(judge("header", "an unknown MCP-Protocol-Version", odd.status, [400]));
    }
  } catch (error) {
    if (patience.scope.cancelled) throw patience.scope.reason;
    findings.push({ severity: "info", rule: "http", text: `not all was checked: ${asGatewayError(error).message}` });
  }
  return findings;
}

async function send(
  pool: HttpPool,
  path: string,
  replica: HttpReplicaPlan,
  body: Uint8Array,
  more: readonly (readonly [string, string])[],
  scope: Scope,
): Promise<Seen> {
  const headers: (readonly [string, string])[] = [
    ...Object.entries(replica.headers),
    ["accept", "application/json, text/event-stream"],
    ["content-type", "application/json"],
    ...more,
  ];
  const reply = await pool.request({ method: "POST", path, headers, body }, scope);
  const isStream = (reply.headers.get("content-type") ?? "").startsWith("text/event-stream");
  if (isStream) reply.body.cancel();
  else await reply.body.bytes(maxBytes).catch(() => {});
  return { status: reply.status, session: reply.headers.get("mcp-session-id") };
}

function judgeOrigin(status: number, url: URL): Finding {
  if (status === 403) return { severity: "ok", rule: "origin", text: "refuses web pages of other origins" };
  // 2025-11-25, Transports, "Security Warning": a local server without this check can be used by any web page.
  const severity = isLocal(url) ? "error" : "warning";
  return { severity, rule: "origin", text: `a web page of another origin is let in (HTTP ${status} instead of 403)` };
}

function judge(rule: string, what: string, status: number, wanted: readonly number[]): Finding {
  const ok = wanted.includes(status);
  const text = ok
    ? `refuses ${what} with HTTP ${status}`
    : `${what} is answered with HTTP ${status} instead of ${wanted.join(" or ")}`;
  return { severity: ok ? "ok" : "warning", rule, text };
}

function checkAddress(replica: ReplicaPlan): readonly Finding[] {
  if (replica.kind === "stdio") return [];
  const url = new URL(replica.url);
  const findings: Finding[] = [];
  const secret = [...url.searchParams.keys()].find((key) => /key|token|secret|auth/i.test(key));
  if (secret !== undefined)
    findings.push({
      severity: "warning",
      rule: "token-in-url",
      text: `the address carries a secret (${secret}): use a header`,
    });
  if (url.protocol === "http:" && !isLocal(url))
    findings.push({ severity: "warning", rule: "plain-http", text: `${url.host} is spoken to without TLS` });
  return findings;
}

function isLocal(url: URL): boolean {
  return (
    url.protocol === "unix:" ||
    /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\]|\[::ffff:7f[0-9a-f]{2}:[0-9a-f]+\])$/.test(url.hostname)
  );
}
