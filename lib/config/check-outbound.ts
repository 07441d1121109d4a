// What is wrong with what the gateway shows a backend although each part of it is right.

import { formatPath, type Problem, type ProblemKind, problemAt } from "./problems.ts";
import { type Entry, entryOf, type Node, textOf } from "./tree.ts";

type Report = (kind: ProblemKind, message: string) => readonly Problem[];

/** Where the token of a backend comes from must be one place, and said in full. */
export function checkOutbound(endpoint: Node): readonly Problem[] {
  const auth = entryOf(endpoint, "auth");
  if (!auth) return [];
  const report: Report = (kind, message) => [
    problemAt(kind, auth.key, auth.node.path, `${formatPath(auth.node.path)} ${message}`),
  ];
  const headers = entryOf(endpoint, "headers")?.node;
  if (headers?.kind === "map" && namesOf(headers).includes("authorization"))
    return report("conflict", "stands beside an Authorization header; keep one of them");
  return auth.node.kind === "map" ? checkTerms(auth.node.entries, textOf(auth.node, "grant"), report) : [];
}

const client = ["tokenUrl", "clientId", "clientSecret"] as const;
/** Settings that only some ways of coming by a token have. */
const only: Readonly<Record<string, readonly string[]>> = {
  clientMetadataUrl: ["authorization_code"],
  shared: ["authorization_code"],
  audience: ["token_exchange"],
  issuer: ["authorization_code", "client_credentials", "token_exchange"],
};

function checkTerms(
  entries: ReadonlyMap<string, Entry>,
  grant: string | undefined,
  report: Report,
): readonly Problem[] {
  const stray = Object.keys(only).find((name) => entries.has(name) && !only[name]?.includes(grant ?? ""));
  if (stray !== undefined)
    return report("conflict", `has "${stray}", which goes with "grant: ${only[stray]?.join('" or "grant: ') ?? ""}"`);
  const given = client.filter((name) => entries.has(name));
  if (entries.has("tokenFile"))
    return given.length > 0 || grant !== undefined
      ? report("conflict", "has a file and an issuer for the token; keep one of them")
      : [];
  const isNamed = entries.has("clientId") && entries.has("clientSecret");
  switch (grant) {
    case "authorization_code":
      if (entries.has("tokenUrl"))
        return report("conflict", 'has "tokenUrl", which goes with another grant: it is found out');
      if (entries.has("clientSecret") && !entries.has("clientId"))
        return report("missing", 'has "clientSecret" without "clientId"');
      return entries.has("clientSecret") ? bound(entries, report) : [];
    case "client_credentials":
    case "token_exchange":
      if (!isNamed) return report("missing", `needs "clientId" and "clientSecret" for "grant: ${grant}"`);
      return bound(entries, report);
    case undefined:
    default:
      return given.length === client.length
        ? []
        : report("missing", 'needs "grant", "tokenFile", or "tokenUrl" with "clientId" and "clientSecret"');
  }
}

/** 2026-07-28, Authorization Server Binding: what a server says must not decide who gets the secret. */
function bound(entries: ReadonlyMap<string, Entry>, report: Report): readonly Problem[] {
  return entries.has("issuer") || entries.has("tokenUrl")
    ? []
    : report("missing", 'needs "issuer": the secret goes to that authorization server, and to no other');
}

/** 2026-07-28, Access Token Privilege Restriction: what clients show the gateway is for nobody else. */
const personal: ReadonlySet<string> = new Set(["authorization", "cookie"]);

/** What a backend says of its callers, beside what the whole config says of them. */
export function checkCallers(root: Node, backend: Node): readonly Problem[] {
  const replicas = entryOf(backend, "replicas")?.node;
  return [backend, ...(replicas?.kind === "list" ? replicas.items : [])].flatMap((endpoint) => [
    ...checkForwarded(endpoint),
    ...checkExchange(root, backend, endpoint),
  ]);
}

function checkForwarded(endpoint: Node): readonly Problem[] {
  const forward = entryOf(endpoint, "forwardHeaders");
  if (forward?.node.kind !== "list") return [];
  const { path, items } = forward.node;
  const report: Report = (kind, message) => [problemAt(kind, forward.key, path, `${formatPath(path)} ${message}`)];
  const names = items.flatMap((item) => (item.kind === "scalar" ? String(item.value).toLowerCase() : []));
  const fixed = entryOf(endpoint, "headers")?.node;
  const twice = fixed?.kind === "map" && names.find((name) => namesOf(fixed).includes(name));
  if (twice) return report("conflict", `names ${twice}, which "headers" sets; keep one of them`);
  const own = names.find((name) => personal.has(name));
  return own === undefined
    ? []
    : report("conflict", `names ${own}, which clients show to the gateway alone; see "auth" for what a server may get`);
}

function checkExchange(root: Node, backend: Node, endpoint: Node): readonly Problem[] {
  const auth = entryOf(endpoint, "auth");
  if (!auth || textOf(auth.node, "grant") !== "token_exchange") return [];
  const report: Report = (kind, message) => [
    problemAt(kind, auth.key, auth.node.path, `${formatPath(auth.node.path)} ${message}`),
  ];
  const inbound = entryOf(root, "auth")?.node;
  const issuers = inbound && entryOf(inbound, "issuers")?.node;
  if (issuers?.kind !== "list" || issuers.items.length === 0)
    return report(
      "missing",
      'trades in tokens of clients, and nobody comes with one: the gateway has no "auth" with "issuers"',
    );
  return textOf(backend, "isolation") === "shared"
    ? report("conflict", 'is for each principal, and "isolation: shared" for all of them together')
    : [];
}

function namesOf(node: Node): readonly string[] {
  return node.kind === "map" ? [...node.entries.keys()].map((name) => name.toLowerCase()) : [];
}
