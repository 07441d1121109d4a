// What one principal may see and use: for an item by its backend and name, for a call by its arguments too.

import { type Hint, hints, type PolicyRulePlan } from "../config/rules-policy.ts";
import { matcherOf } from "../core/glob.ts";
import type { ListingKind } from "../core/nouns.ts";
import { plainUri } from "../core/plain-uri.ts";
import { asRecord, decodeText } from "../core/text.ts";
import { buildSection, type Section } from "./section.ts";
import { itemAt, type Slab } from "./slab.ts";

/** What rules are about; `methods` are those of extensions. */
export type GrantKind = ListingKind | "methods";

/** A rule that is about a principal. */
export interface Granted {
  readonly rule: PolicyRulePlan;
  /** Of the rule in the config, from 0. */
  readonly place: number;
  /** Scopes that it needs and the principal lacks. */
  readonly missing: readonly string[];
}

/** `place`: the rule that decides; undefined where none does, and the default counts. */
export type Decision =
  | { readonly kind: "allow" | "deny" | "confirm"; readonly place: number | undefined; readonly rate?: string }
  | { readonly kind: "scopes"; readonly place: number; readonly scopes: readonly string[] };

export interface Asked {
  readonly kind: GrantKind;
  readonly backend: string;
  /** At the backend. */
  readonly name: string;
  /** The definition of a tool, as JSON. */
  readonly tool?: Uint8Array | undefined;
}

/** Whether the arguments of a call fit a rule. */
export type ArgumentsFit = (rule: PolicyRulePlan) => boolean;

interface Rule extends Granted {
  readonly isBackend: (name: string) => boolean;
  readonly isName: Readonly<Record<GrantKind, ((name: string) => boolean) | undefined>>;
}

const kindLists = { tools: "tools", prompts: "prompts", resources: "resources", methods: "methods" } as const;
/** 2025-11-25, Schema, "ToolAnnotations": what counts where a tool says nothing. */
const hintDefaults: Readonly<Record<Hint, boolean>> = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
};
const maxDecided = 10_000;

export class Grants {
  readonly #rules: readonly Rule[];
  readonly #default: "allow" | "deny";
  /** Rules by kind, backend and name; names come from clients too. */
  readonly #known = new Map<string, readonly Rule[]>();
  readonly #reached = new Map<string, boolean>();

  constructor(fallback: "allow" | "deny", granted: readonly Granted[]) {
    this.#default = fallback;
    this.#rules = granted.map((each) => ({ ...each, ...matchersOf(each.rule) }));
  }

  /** Whether anything of a backend may be allowed. */
  reaches(backend: string): boolean {
    const known = this.#reached.get(backend);
    if (known !== undefined) return known;
    const reaches = this.#reachesAny(backend);
    this.#reached.set(backend, reaches);
    return reaches;
  }

  #reachesAny(backend: string): boolean {
    for (const { rule, isBackend } of this.#rules) {
      if (!isBackend(backend)) continue;
      if (rule.effect !== "deny") return true;
      if (isTotal(rule)) return false;
    }
    return this.#default === "allow";
  }

  /** Whether an item may be seen: some call of it could be allowed. */
  shows(asked: Asked): boolean {
    const { kind, name } = asked;
    const plain = kind === "resources" || kind === "resourceTemplates" ? plainUri(name) : name;
    // A URI is asked about as it is written, and as it may be understood.
    return this.#shows(asked) && (plain === name || this.#shows({ ...asked, name: plain }));
  }

  #shows(asked: Asked): boolean {
    for (const { rule } of this.#fitting(asked)) {
      if (rule.effect !== "deny") return true;
      if (!rule.arguments) return false;
    }
    return this.#default === "allow";
  }

  /** Whether the name alone says that every call of it is allowed. */
  isFree({ kind, backend, name }: Asked): boolean {
    const [first] = this.#named(kind, backend, name);
    if (!first) return this.#default === "allow";
    const { effect, annotations, arguments: args, rate } = first.rule;
    return effect === "allow" && !annotations && !args && !rate && first.missing.length === 0;
  }

  /** The first rule that is about a name, from 1; undefined where none is, and the default counts. */
  ruleOf({ kind, backend, name }: Asked): number | undefined {
    const [first] = this.#named(kind, backend, name);
    return first && first.place + 1;
  }

  /** What becomes of a call. */
  decide(asked: Asked, fits: ArgumentsFit): Decision {
    for (const { rule, place, missing } of this.#fitting(asked)) {
      if (rule.arguments && !fits(rule)) continue;
      const { effect, rate } = rule;
      if (effect === "deny" || missing.length === 0) return { kind: effect, place, ...(rate ? { rate } : {}) };
      return { kind: "scopes", place, scopes: rule.scopes ?? [] };
    }
    return { kind: this.#default, place: undefined };
  }

  /** Whether the arguments of a call may matter. */
  minds(asked: Asked): boolean {
    return this.#fitting(asked).some(({ rule }) => rule.arguments !== undefined);
  }

  /** Whether the item in a row of a slab may be seen. */
  showsRow(kind: ListingKind, slab: Slab, row: number): boolean {
    const { backend, locals, wires } = slab;
    return this.shows({ kind, backend, name: wires?.[row] ?? locals[row] ?? "", tool: itemAt(slab, row) });
  }

  /** The part of a section that may be seen. */
  apply(kind: ListingKind, section: Section): Section {
    const { slab, prefix, names, rows } = section;
    const rowAt = (at: number): number => (rows ? (rows[at] ?? 0) : at);
    const places = names.flatMap((_, at) => (this.showsRow(kind, slab, rowAt(at)) ? [at] : []));
    if (places.length === names.length) return section;
    return buildSection(
      slab,
      places.map(rowAt),
      places.map((at) => prefix + (names[at] ?? "")),
    );
  }

  #fitting({ kind, backend, name, tool }: Asked): readonly Rule[] {
    const named = this.#named(kind, backend, name);
    if (named.every(({ rule }) => !rule.annotations)) return named;
    const annotations = kind === "tools" && tool ? annotationsOf(tool) : undefined;
    return named.filter(({ rule }) => !rule.annotations || (annotations && fitsHints(rule.annotations, annotations)));
  }

  /** Those that may be about an item, by its name. */
  #named(kind: GrantKind, backend: string, name: string): readonly Rule[] {
    const key = `${kind} ${backend} ${name}`;
    const known = this.#known.get(key);
    if (known) return known;
    const found = this.#rules.filter(({ isBackend, isName }) => isBackend(backend) && isName[kind]?.(name));
    if (this.#known.size >= maxDecided) this.#known.clear();
    this.#known.set(key, found);
    return found;
  }
}

const all = (): boolean => true;

function matchersOf(rule: PolicyRulePlan): Pick<Rule, "isBackend" | "isName"> {
  const isOpen = Object.values(kindLists).every((list) => rule[list] === undefined);
  const matcher = (list: keyof typeof kindLists): ((name: string) => boolean) | undefined => {
    const globs = rule[list];
    return globs ? matcherOf(globs) : isOpen ? all : undefined;
  };
  const resources = matcher("resources");
  return {
    isBackend: rule.backends ? matcherOf(rule.backends) : all,
    isName: {
      tools: matcher("tools"),
      prompts: matcher("prompts"),
      resources,
      resourceTemplates: resources,
      methods: matcher("methods"),
    },
  };
}

function isTotal({ annotations, arguments: args, ...lists }: PolicyRulePlan): boolean {
  return !annotations && !args && Object.values(kindLists).every((list) => lists[list] === undefined);
}

function annotationsOf(tool: Uint8Array): Readonly<Record<string, unknown>> {
  return asRecord(asRecord(JSON.parse(decodeText(tool)))["annotations"]);
}

function fitsHints(
  wanted: NonNullable<PolicyRulePlan["annotations"]>,
  said: Readonly<Record<string, unknown>>,
): boolean {
  return hints.every((hint) => {
    const is = typeof said[hint] === "boolean" ? said[hint] : hintDefaults[hint];
    return wanted[hint] === undefined || wanted[hint] === is;
  });
}
