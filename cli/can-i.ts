// `mcpctl auth can-i`: what the policy of a config says of one principal and one item, and which rule says it.

import process from "node:process";
import { GatewayError, loadPlan } from "../lib/index.ts";
import { canI as judge, principalOf, type Question, type Verdict } from "../lib/toolbox.ts";
import { document } from "./answer.ts";
import { type Flags, listFlag, wordFlag } from "./command.ts";
import { answer } from "./output.ts";
import { sayProblems } from "./problems.ts";

const kinds = ["tools", "prompts", "resources", "methods"] as const;

/** Exits with 0 where it is allowed as it stands, and 1 where it is not, or only under a condition. */
export async function canI([principal, item, ...more]: readonly string[], flags: Flags): Promise<number> {
  const [, backend, name] = /^([^/]+)\/(.+)$/s.exec(item ?? "") ?? [];
  if (principal === undefined || backend === undefined || name === undefined || more.length > 0)
    throw new GatewayError("usage", "write it like: mcpctl auth can-i key:ci backend/tool");
  const loaded = await loadPlan({ cwd: process.cwd(), files: listFlag(flags, "config"), env: process.env });
  sayProblems(loaded);
  if (loaded.kind !== "ok") return 3;
  const { plan } = loaded;
  if (!plan.backends.some((known) => known.name === backend))
    throw new GatewayError("unknownTarget", `the config has no backend ${JSON.stringify(backend)}`);
  const who = principalOf(principal, plan.auth, listFlag(flags, "group"), listFlag(flags, "scope"));
  const question: Question = { kind: wordFlag(flags, "kind", kinds) ?? "tools", backend, name };
  const verdict = judge(plan.policy, who, question);
  const isJson = wordFlag(flags, "output", ["yaml", "json"]) === "json";
  await answer(
    isJson
      ? JSON.stringify(document("Verdict", { principal, backend, name, ...verdict }), undefined, 2)
      : explain(verdict, principal, item ?? ""),
  );
  return verdict.decision === "allow" ? 0 : 1;
}

const said: Readonly<Record<Verdict["decision"], string>> = {
  allow: "yes",
  deny: "no",
  confirm: "only if the user agrees",
  scopes: "only with more scopes",
};

function explain({ decision, visible, rule, byArguments, scopes }: Verdict, principal: string, item: string): string {
  const by = rule === undefined ? "no rule fits, and the default decides" : `rule ${rule} decides`;
  const lines = [`${said[decision]}: ${principal} and ${item}; ${by}`];
  if (scopes.length > 0) lines.push(`  the token needs ${scopes.join(" ")}`);
  if (byArguments.length > 0) lines.push(`  with some arguments it is otherwise: see rule ${byArguments.join(", ")}`);
  if (visible !== (decision !== "deny")) lines.push(visible ? "  it is listed" : "  it is not listed");
  return lines.join("\n");
}
