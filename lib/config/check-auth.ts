// What is wrong with who comes in although each part of it is right.

import { type Problem, problemAt } from "./problems.ts";
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

function sizeOf(node: Node, name: string): number {
  const inner = entryOf(node, name)?.node;
  if (inner?.kind === "map") return inner.entries.size;
  return inner?.kind === "list" ? inner.items.length : 0;
}

function valueOf(node: Node, name: string): unknown {
  const inner = entryOf(node, name)?.node;
  return inner?.kind === "scalar" ? inner.value : undefined;
}
