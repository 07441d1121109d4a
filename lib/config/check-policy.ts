// What is wrong with a policy although each part of it is right.

import { formatPath, nearest, type Problem, problemAt } from "./problems.ts";
import { entryOf, type Node } from "./tree.ts";

/** A misspelt role would make its rule one for nobody. */
export function checkPolicy(root: Node): readonly Problem[] {
  const policy = entryOf(root, "policy")?.node;
  const roles = policy && entryOf(policy, "roles")?.node;
  const rules = policy && entryOf(policy, "rules")?.node;
  const known = roles?.kind === "map" ? [...roles.entries.keys()] : [];
  const items = rules?.kind === "list" ? rules.items : [];
  return items.flatMap((rule) => {
    const named = entryOf(rule, "roles")?.node;
    return (named?.kind === "list" ? named.items : []).flatMap((item) => {
      if (item.kind !== "scalar" || typeof item.value !== "string" || known.includes(item.value)) return [];
      const message = `${formatPath(item.path)} is no role of this config`;
      return [problemAt("badValue", item.place, item.path, message, nearest(item.value, known))];
    });
  });
}
