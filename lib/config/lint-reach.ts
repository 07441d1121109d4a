// What a config shows to nobody: views without anything in them, and a policy that hides all there is.

import { matcherOf } from "../core/glob.ts";
import { asRecord } from "../core/text.ts";
import { planDefaults } from "./plan.ts";
import { type Problem, formatPath, problemAt } from "./problems.ts";
import { type Node, entryOf, toValue } from "./tree.ts";

type Values = Readonly<Record<string, unknown>>;

/** `root`: without the disabled backends, and with what variables hold; `all`: the names of those too. */
export function lintReach(root: Node, all: readonly string[], problems: Problem[]): void {
  const config = asRecord(toValue(root));
  const backends = new Map(Object.entries(asRecord(config["backends"])).map(([name, each]) => [name, asRecord(each)]));
  if (backends.size === 0) return;
  const policy = config["policy"] === undefined ? undefined : new Reach(config, [...backends.keys()]);
  const node = entryOf(root, "policy");
  if (policy && node && !policy.any) {
    const message = `${formatPath(node.node.path)} hides everything from everybody: ${policy.why}`;
    problems.push(problemAt("hidesAll", node.key, node.node.path, message));
  }
  const views = entryOf(root, "views")?.node;
  if (views?.kind !== "map") return;
  for (const view of views.entries.values()) {
    // That a backend is not there is said already.
    const named = textsOf(asRecord(toValue(view.node))["backends"]) ?? [];
    if (named.some((name) => !all.includes(name))) continue;
    const why =
      emptiness(asRecord(toValue(view.node)), backends, config) ?? (policy?.any && hidden(view.node, backends, policy));
    if (!why) continue;
    const message = `${formatPath(view.node.path)} shows nothing to anybody: ${why}`;
    problems.push(problemAt("unreachableView", view.key, view.node.path, message));
  }
}

function chosen(view: Values, backends: ReadonlyMap<string, Values>): readonly string[] {
  const [named, tags] = [textsOf(view["backends"]), textsOf(view["tags"])];
  if (!named && !tags) return [...backends.keys()];
  return [...backends].flatMap(([name, backend]) => {
    const own = textsOf(backend["tags"]) ?? [];
    return named?.includes(name) === true || tags?.some((tag) => own.includes(tag)) === true ? [name] : [];
  });
}

/** Why there is nothing in a view, whoever looks; undefined where there may be. */
function emptiness(view: Values, backends: ReadonlyMap<string, Values>, config: Values): string | undefined {
  const [named, tags] = [textsOf(view["backends"]), textsOf(view["tags"])];
  const shown = chosen(view, backends);
  if (shown.length === 0) {
    if (named && named.length > 0) return `${named.join(", ")} ${named.length > 1 ? "are" : "is"} disabled`;
    return tags && tags.length > 0 ? `no backend has the tag ${tags.join(" or ")}` : "it names no backend";
  }
  const lists = ["tools", "prompts", "resources"].map((kind) => ({ kind, globs: textsOf(view[kind]) }));
  if (lists.every(({ globs }) => globs?.length === 0)) return "all of its lists are empty";
  // Behind a prefix that none of its backends has, no name can fit.
  if ((config["naming"] ?? "prefix") !== "prefix") return undefined;
  const { separator } = planDefaults;
  const isOpen = lists.some(({ kind, globs }) =>
    !globs ? true : globs.some((glob) => kind === "resources" || mayFit(glob, separator, shown)),
  );
  return isOpen ? undefined : `no name of ${shown.join(", ")} fits its lists`;
}

/** Whether a glob may fit a name that begins with one of these backends. */
function mayFit(glob: string, separator: string, shown: readonly string[]): boolean {
  const fixed = /^[^*?]*/.exec(glob)?.[0] ?? "";
  return shown.some((name) => {
    const prefix = name + separator;
    return fixed.length === glob.length
      ? glob.startsWith(prefix)
      : prefix.startsWith(fixed) || fixed.startsWith(prefix);
  });
}

function hidden(view: Node, backends: ReadonlyMap<string, Values>, policy: Reach): string | undefined {
  const shown = chosen(asRecord(toValue(view)), backends);
  return shown.some((name) => policy.reaches(name)) ? undefined : `the policy hides ${shown.join(", ")} from everybody`;
}

interface Who {
  readonly id: string;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
}

/** What a policy leaves of the backends, for anybody who may come in. */
class Reach {
  readonly any: boolean;
  readonly #policy: Values;
  /** Everybody that there can be; undefined where tokens and certificates say who they are for. */
  readonly #known: readonly Who[] | undefined;

  constructor(config: Values, backends: readonly string[]) {
    this.#policy = asRecord(config["policy"]);
    this.#known = knownOf(config["auth"]);
    this.any = backends.some((name) => this.reaches(name));
  }

  get why(): string {
    const opens = this.#rules.some(({ effect }) => effect !== "deny");
    if (this.#policy["default"] === "deny" && !opens) return "its default is deny, and no rule allows anything";
    if (!opens) return "a rule denies all before anything is allowed";
    return "no rule that allows anything is about a backend and a principal that there can be";
  }

  get #rules(): readonly Values[] {
    const rules = this.#policy["rules"];
    return Array.isArray(rules) ? rules.map(asRecord) : [];
  }

  /** Whether anything of a backend may be allowed to somebody. */
  reaches(backend: string): boolean {
    if (!this.#known) return this.#reachesFor(backend, undefined);
    return this.#known.some((who) => this.#reachesFor(backend, who));
  }

  #reachesFor(backend: string, who: Who | undefined): boolean {
    for (const rule of this.#rules) {
      const about = textsOf(rule["backends"]);
      if (about && !matcherOf(about)(backend)) continue;
      const roles = textsOf(rule["roles"]);
      const isDeny = rule["effect"] === "deny";
      // Whom it does not know it leaves in: a lint must not be wrong.
      if (roles && !(who ? roles.some((role) => this.#fits(role, who)) : !isDeny)) continue;
      if (!isDeny) {
        const isExtension = textsOf(rule["methods"]) && !hasItems(rule);
        if (!isExtension) return true;
      } else if (isTotal(rule)) return false;
    }
    return this.#policy["default"] !== "deny";
  }

  #fits(role: string, who: Who): boolean {
    const { subjects, groups, scopes, claims } = asRecord(asRecord(this.#policy["roles"])[role]);
    const [names, some, all] = [textsOf(subjects), textsOf(groups), textsOf(scopes)];
    if (names && !matcherOf(names)(who.id)) return false;
    if (some && !some.some((group) => who.groups.includes(group))) return false;
    if (all && !all.every((scope) => who.scopes.includes(scope))) return false;
    return Object.keys(asRecord(claims)).length === 0;
  }
}

function knownOf(auth: unknown): readonly Who[] | undefined {
  if (auth === undefined || auth === "none") return [{ id: "anonymous", groups: [], scopes: [] }];
  const { keys, issuers, certificates } = asRecord(auth);
  if ((Array.isArray(issuers) && issuers.length > 0) || certificates === true) return undefined;
  return Object.entries(asRecord(keys)).map(([name, key]) => {
    const { groups, scopes } = asRecord(key);
    return { id: `key:${name}`, groups: textsOf(groups) ?? [], scopes: textsOf(scopes) ?? [] };
  });
}

const itemLists = ["tools", "prompts", "resources"] as const;

function hasItems(rule: Values): boolean {
  return itemLists.some((list) => rule[list] !== undefined);
}

function isTotal(rule: Values): boolean {
  return !hasItems(rule) && ["methods", "annotations", "arguments"].every((key) => rule[key] === undefined);
}

function textsOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : undefined;
}
