// What is wrong with who comes in although each part of it is right.

import { formatPath, type Problem, problemAt } from "./problems.ts";
import { entryOf, type Node, textOf } from "./tree.ts";

export function checkAuth(root: Node): readonly Problem[] {
  const auth = entryOf(root, "auth");
  if (auth?.node.kind !== "map") return [];
  const report = (message: string): readonly Problem[] => [problemAt("missing", auth.key, auth.node.path, message)];
  const signedIn = String(valueOf(auth.node, "certificates")) === "true";
  if (!signedIn && sizeOf(auth.node, "keys") === 0 && sizeOf(auth.node, "issuers") === 0)
    return report('nobody could come in: auth needs "keys", "issuers" or "certificates: true"; or write "auth: none"');
  if (signedIn && textOf(entryOf(root, "tls")?.node ?? root, "clientCa") === undefined)
    return report(
      'auth.certificates needs "tls" with "clientCa": the authorities that clients\' certificates are from',
    );
  return [];
}

/** Where the token of a backend comes from must be one place, and said in full. */
export function checkOutbound(endpoint: Node): readonly Problem[] {
  const auth = entryOf(endpoint, "auth");
  if (auth?.node.kind !== "map") return [];
  const { entries, path } = auth.node;
  const client = ["tokenUrl", "clientId", "clientSecret"];
  const given = client.filter((name) => entries.has(name));
  const report = (kind: "missing" | "conflict", message: string): readonly Problem[] => [
    problemAt(kind, auth.key, path, `${formatPath(path)} ${message}`),
  ];
  const headers = entryOf(endpoint, "headers")?.node;
  if (headers?.kind === "map" && [...headers.entries.keys()].some((name) => name.toLowerCase() === "authorization"))
    return report("conflict", "stands beside an Authorization header; keep one of them");
  if (entries.has("tokenFile"))
    return given.length > 0 ? report("conflict", "has a file and an issuer for the token; keep one of them") : [];
  return given.length === client.length
    ? []
    : report("missing", 'needs "tokenFile", or "tokenUrl" with "clientId" and "clientSecret"');
}

function sizeOf(node: Node, name: string): number {
  const inner = entryOf(node, name)?.node;
  if (inner?.kind === "map") return inner.entries.size;
  return inner?.kind === "list" ? inner.items.length : 0;
}

function valueOf(node: Node, name: string): unknown {
  const inner = entryOf(node, name)?.node;
  return inner?.kind === "scalar" ? inner.value : undefined;
}
