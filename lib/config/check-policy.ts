// What is wrong with a policy although each part of it is right.

import { isLinearPattern } from "../core/patterns.ts";
import { formatPath, nearest, type Place, type Problem, problemAt } from "./problems.ts";
import { entryOf, type Node } from "./tree.ts";

/** A misspelt role would make its rule one for nobody. */
export function checkPolicy(root: Node): readonly Problem[] {
  const policy = entryOf(root, "policy")?.node;
  const roles = policy && entryOf(policy, "roles")?.node;
  const rules = policy && entryOf(policy, "rules")?.node;
  const known = roles?.kind === "map" ? [...roles.entries.keys()] : [];
  const items = rules?.kind === "list" ? rules.items : [];
  const wrong = items.flatMap((rule) => {
    const schemas = entryOf(rule, "arguments")?.node;
    return schemas?.kind === "map" ? [...schemas.entries.values()].flatMap(({ node }) => checkSchema(node)) : [];
  });
  const foreign = items.flatMap((rule) => {
    const named = entryOf(rule, "roles")?.node;
    return (named?.kind === "list" ? named.items : []).flatMap((item) => {
      if (item.kind !== "scalar" || typeof item.value !== "string" || known.includes(item.value)) return [];
      const message = `${formatPath(item.path)} is no role of this config`;
      return [problemAt("badValue", item.place, item.path, message, nearest(item.value, known))];
    });
  });
  return [...wrong, ...foreign];
}

/** What holds values, and no schemas. */
const values: ReadonlySet<string> = new Set(["const", "enum", "default", "examples"]);

/** Patterns are tried on what clients send: none may need more time than that is long. */
function checkSchema(schema: Node): readonly Problem[] {
  if (schema.kind === "list") return schema.items.flatMap(checkSchema);
  if (schema.kind === "scalar") return [];
  return [...schema.entries].flatMap(([key, { node }]): readonly Problem[] => {
    if (values.has(key)) return [];
    if (key === "pattern" && node.kind === "scalar") return isGood(node.value) ? [] : [badPattern(node.place, node)];
    if (key !== "patternProperties" || node.kind !== "map") return checkSchema(node);
    return [...node.entries].flatMap(([pattern, entry]) =>
      isGood(pattern) ? checkSchema(entry.node) : [badPattern(entry.key, entry.node)],
    );
  });
}

const isGood = (pattern: unknown): boolean => typeof pattern === "string" && isLinearPattern(pattern);

function badPattern(place: Place, { path }: Node): Problem {
  const message = `${formatPath(path)} is no pattern that can be tried in linear time: no look-around, no references back`;
  return problemAt("badValue", place, path, message);
}
