// What a view of the config shows: some backends, and of their items those whose exposed names its globs fit.

import type { Disclosure, ViewPlan } from "../config/catalog.ts";
import type { BackendPlan } from "../config/plan.ts";
import { matcherOf } from "../core/glob.ts";
import type { ListingKind } from "../core/nouns.ts";
import { buildSection, type Section } from "./section.ts";

export class Filter {
  readonly #plan: ViewPlan;
  readonly #shows: Readonly<Record<ListingKind, ((exposed: string) => boolean) | undefined>>;

  constructor(plan: ViewPlan) {
    this.#plan = plan;
    const matcher = (globs: readonly string[] | undefined): ((exposed: string) => boolean) | undefined =>
      globs && matcherOf(globs);
    const resources = matcher(plan.resources);
    this.#shows = {
      tools: matcher(plan.tools),
      prompts: matcher(plan.prompts),
      resources,
      resourceTemplates: resources,
    };
  }

  /** Undefined where the view says nothing of it. */
  get disclosure(): Disclosure | undefined {
    return this.#plan.disclosure;
  }

  hasBackend({ name, tags = [] }: BackendPlan): boolean {
    const { backends, tags: wanted } = this.#plan;
    if (!backends && !wanted) return true;
    return backends?.includes(name) === true || wanted?.some((tag) => tags.includes(tag)) === true;
  }

  shows(kind: ListingKind, exposed: string): boolean {
    return this.#shows[kind]?.(exposed) !== false;
  }

  /** The part of a section that is shown. */
  apply(kind: ListingKind, section: Section): Section {
    const shows = this.#shows[kind];
    if (!shows) return section;
    const { slab, prefix, names, rows } = section;
    const places = names.flatMap((name, at) => (shows(prefix + name) ? [at] : []));
    if (places.length === names.length) return section;
    return buildSection(
      slab,
      places.map((at) => (rows ? (rows[at] ?? 0) : at)),
      places.map((at) => prefix + (names[at] ?? "")),
    );
  }
}
