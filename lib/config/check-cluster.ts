// What is wrong with a cluster although each part of it is right.

import { type Problem, problemAt } from "./problems.ts";
import { entryOf, type Node } from "./tree.ts";

export function checkCluster(root: Node): readonly Problem[] {
  const cluster = entryOf(root, "cluster");
  if (!cluster) return [];
  const keys = entryOf(root, "sealKeys")?.node;
  if (keys?.kind === "list" && keys.items.length > 0) return [];
  const message = 'cluster needs "sealKeys": without the same keys no process can go on with a session of another one';
  return [problemAt("missing", cluster.key, cluster.node.path, message)];
}
