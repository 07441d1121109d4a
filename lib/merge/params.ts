// The parameters that calls of a tool repeat in headers, by the annotations in its listing.

import { headersOf, mayHaveHeaders } from "../protocol/bridge-tools.ts";
import type { ParamHeader } from "../protocol/modern-params.ts";
import { itemAt, type Slab } from "./slab.ts";

const none: readonly ParamHeader[] = [];

export class ToolParams {
  /** Of the tools that have some; made once for each listing. */
  readonly #bySlab = new WeakMap<Slab, ReadonlyMap<string, readonly ParamHeader[]>>();

  of(slab: Slab, local: string): readonly ParamHeader[] {
    const known = this.#bySlab.get(slab) ?? readAll(slab);
    this.#bySlab.set(slab, known);
    return known.get(local) ?? none;
  }
}

function readAll(slab: Slab): ReadonlyMap<string, readonly ParamHeader[]> {
  // Most backends have none, which one search over all of them says.
  if (!mayHaveHeaders(slab.bytes)) return new Map();
  return new Map(
    slab.locals.flatMap((local, row): [string, readonly ParamHeader[]][] => {
      const headers = headersOf(itemAt(slab, row));
      return headers?.kind === "valid" ? [[local, headers.params]] : [];
    }),
  );
}
