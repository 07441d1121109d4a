// What is wrong with views and renamed tools that the schema cannot see.

import { type Problem, formatPath, nearest, problemAt } from "./problems.ts";
import { namePattern } from "./rules.ts";
import { type Entry, entryOf, type Node } from "./tree.ts";

/** `backends`: the names of all, also of the disabled ones. */
export function checkViews(root: Node, backends: readonly string[], problems: Problem[]): void {
  const views = entryOf(root, "views")?.node;
  if (views?.kind !== "map") return;
  for (const [name, { key, node }] of views.entries) {
    const where = formatPath(node.path);
    if (!namePattern.test(name)) {
      problems.push(
        problemAt("badName", key, node.path, `${where} is no name for a view: it follows the rule of backends`),
      );
    } else if (backends.includes(name)) {
      const message = `${where} has the name of a backend, whose endpoint is at the same path`;
      problems.push(problemAt("conflict", key, node.path, message));
    }
    const chosen = entryOf(node, "backends")?.node;
    for (const item of chosen?.kind === "list" ? chosen.items : []) {
      if (item.kind !== "scalar" || typeof item.value !== "string" || backends.includes(item.value)) continue;
      const message = `${formatPath(item.path)} is no backend of this config`;
      problems.push(problemAt("unknownBackend", item.place, item.path, message, nearest(item.value, backends)));
    }
  }
}

/** Two tools cannot have one name. */
export function checkRenames({ node }: Entry, problems: Problem[]): void {
  const tools = entryOf(node, "tools")?.node;
  const renames = tools && entryOf(tools, "rename")?.node;
  if (renames?.kind !== "map") return;
  const seen = new Set<unknown>();
  for (const { key, node: target } of renames.entries.values()) {
    if (target.kind !== "scalar") continue;
    if (seen.has(target.value)) {
      problems.push(
        problemAt("duplicateKey", key, target.path, `${formatPath(target.path)} is the name of another tool`),
      );
    }
    seen.add(target.value);
  }
}
