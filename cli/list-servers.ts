// `mcpctl list servers`: what a config has, without starting anything.

import { type Target, whereabouts } from "../lib/toolbox.ts";
import { document, type Format, show } from "./answer.ts";
import { say } from "./output.ts";

export async function listServers(targets: readonly Target[], format: Format): Promise<number> {
  const items = targets.map(bodyOf);
  await show(format, {
    kind: "ServerList",
    body: { items },
    lines: items.map((item) => document("Server", item)),
    names: targets.map(({ name }) => name),
    text: async (wide) => {
      const { table } = await import("./columns.ts");
      const titles = ["NAME", "TRANSPORT", ...(wide ? ["REPLICAS", "PROTOCOL", "AT"] : []), "WHERE"];
      const columns = titles.map((title) => ({ title, flexible: title === "WHERE" }));
      return targets.length === 0
        ? []
        : table(
            columns,
            targets.map((target) => rowOf(target, wide)),
          );
    },
  });
  if (targets.length === 0) say("the config has no servers");
  return 0;
}

function rowOf({ name, plan, place }: Target, wide: boolean): readonly string[] {
  const [first] = plan.replicas;
  const more = plan.replicas.length > 1 ? ` (and ${plan.replicas.length - 1} more)` : "";
  const at = place ? `${place.file}:${place.line}` : "";
  const middle = wide ? [String(plan.replicas.length), plan.protocol ?? "auto", at] : [];
  return [name, first?.kind ?? "", ...middle, first ? whereabouts(first) + more : ""];
}

function bodyOf({ name, plan, place }: Target): Readonly<Record<string, unknown>> {
  return {
    name,
    protocol: plan.protocol ?? "auto",
    isolation: plan.isolation,
    ...(place ? { place } : {}),
    replicas: plan.replicas.map((replica) => ({ transport: replica.kind, where: whereabouts(replica) })),
  };
}
