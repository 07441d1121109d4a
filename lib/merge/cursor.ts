// Sealed cursors: where a walk through a listing has come, for its kind, view and principal alone, on any gateway process.

import { GatewayError } from "../core/errors.ts";
import type { ListingKind } from "../core/nouns.ts";
import type { Sealer } from "../core/seal.ts";
import { asRecord, decodeText, encodeJson } from "../core/text.ts";
import type { Walk } from "./page.ts";
import { markLength } from "./section.ts";

/** What a cursor is good for. */
export interface CursorUse {
  readonly kind: ListingKind;
  readonly view: string;
  readonly principal: string;
}

const purpose = "cursor";

export class Cursors {
  readonly #sealer: Sealer;

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  seal({ kind, view, principal }: CursorUse, walk: Walk): string {
    const done = [...walk].flatMap(([mark, last]) => (last === undefined ? [mark] : []));
    const begun = [...walk].filter(([, last]) => last !== undefined);
    const payload = { kind, view, principal, done: done.join(""), begun: Object.fromEntries(begun) };
    return this.#sealer.seal(purpose, encodeJson(payload));
  }

  /** Throws `cursorRefused` for any text that was not sealed for this use. */
  open(use: CursorUse, cursor: string): Walk {
    const bytes = this.#sealer.open(purpose, cursor);
    if (!bytes) throw refused("unknown", "was not given by this gateway, or was changed");
    const { kind, view, principal, done, begun } = asRecord(JSON.parse(decodeText(bytes)));
    // Before everything else: to others it says nothing.
    if (principal !== use.principal) throw refused("otherPrincipal", "was given to another client");
    if (kind !== use.kind) throw refused("otherKind", "is of another listing");
    if (view !== use.view) throw refused("otherView", "is of another endpoint");
    const walk = new Map<string, string | undefined>();
    const marks = String(done);
    for (let at = 0; at < marks.length; at += markLength) walk.set(marks.slice(at, at + markLength), undefined);
    for (const [mark, last] of Object.entries(asRecord(begun))) walk.set(mark, String(last));
    return walk;
  }
}

function refused(reason: string, why: string): GatewayError {
  return new GatewayError("cursorRefused", `the cursor ${why}`, { data: { reason } });
}
