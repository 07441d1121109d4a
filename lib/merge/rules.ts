// What the config makes of a backend's items before anybody sees them: hidden, renamed, in other words.

import type { ItemRulesPlan, RulesPlan, ToolRulesPlan } from "../config/catalog.ts";
import { splice } from "../core/envelope.ts";
import { matcherOf } from "../core/glob.ts";
import type { ListingKind } from "../core/nouns.ts";
import { changeEdits, type Entry, entry, wholeOf } from "../protocol/fields.ts";
import { kinds } from "./catalog.ts";
import { reshape, type Slab } from "./slab.ts";

type Admits = (local: string) => boolean;

const all: Admits = () => true;

/** The rules of one backend. */
export class Rules {
  readonly #plan: RulesPlan;
  readonly #admits: Readonly<Record<ListingKind, Admits>>;
  readonly #entriesOf: (tool: string) => readonly Entry[];

  constructor(plan: RulesPlan) {
    this.#plan = plan;
    const resources = admission(plan.resources);
    this.#admits = {
      tools: admission(plan.tools),
      prompts: admission(plan.prompts),
      resources,
      resourceTemplates: resources,
    };
    this.#entriesOf = entriesOf(plan.tools ?? {});
  }

  /** Whether an item of this name, or URI, may be seen and used. */
  admits(kind: ListingKind, local: string): boolean {
    return this.#admits[kind](local);
  }

  /** Whether names of this kind do not simply mean what they say: then the listing decides what can be called. */
  guards(kind: ListingKind): boolean {
    const rules = kind === "prompts" ? this.#plan.prompts : kind === "tools" ? this.#plan.tools : this.#plan.resources;
    return rules !== undefined;
  }

  /** The items that may be seen, as they are to be seen. */
  apply(kind: ListingKind, slab: Slab): Slab {
    if (!this.guards(kind)) return slab;
    const { rename = {} } = kind === "tools" ? (this.#plan.tools ?? {}) : {};
    const { key } = kinds[kind];
    return reshape(slab, key, (bytes, local) => {
      if (!this.admits(kind, local)) return undefined;
      if (kind !== "tools") return { bytes, local };
      const name = Object.hasOwn(rename, local) ? (rename[local] ?? local) : local;
      const set = [...(name === local ? [] : [entry(key, name)]), ...this.#entriesOf(local)];
      if (set.length === 0) return { bytes, local };
      return { bytes: splice(bytes, changeEdits(bytes, wholeOf(bytes), { set })), local: name };
    });
  }
}

function admission(rules: ItemRulesPlan | undefined): Admits {
  if (!rules) return all;
  const { allow, deny = [] } = rules;
  const isAllowed = allow ? matcherOf(allow) : all;
  const isDenied = matcherOf(deny);
  return (local) => isAllowed(local) && !isDenied(local);
}

/** The members of a tool that the config replaces. */
function entriesOf({ describe = {}, override = {} }: ToolRulesPlan): (tool: string) => readonly Entry[] {
  const changes = [
    ...Object.entries(override),
    ...Object.entries(describe).map(([glob, description]) => [glob, { description }] as const),
  ].map(([glob, members]) => ({ fits: matcherOf([glob]), members }));
  return (tool) => {
    const set = new Map<string, unknown>();
    for (const { fits, members } of changes)
      if (fits(tool)) for (const [name, value] of Object.entries(members)) set.set(name, value);
    return [...set].map(([name, value]) => entry(name, value));
  };
}
