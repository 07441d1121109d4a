// Lists what one server has, page by page, and tells whoever asked of each page as it comes.

import { describeFailure, type Failure } from "./failure.ts";
import { Evidence } from "./evidence.ts";
import { declares, type ItemKind, type Page, type Shortfall, shortfallsOf, walkPages } from "./pages.ts";
import { openPeer, type Patience, type Peer } from "./peer.ts";
import type { Target } from "./target.ts";

export interface ListOptions {
  /** What is asked for; kinds that the server does not declare are left out where there are several. */
  readonly kinds: readonly ItemKind[];
  readonly version: string;
  readonly cursor?: string | undefined;
  readonly maxPages?: number | undefined;
  readonly maxItems?: number | undefined;
  /** Resolves to false where nobody wants more. */
  readonly page: (target: Target, kind: ItemKind, page: Page) => Promise<boolean>;
}

export interface Listed {
  readonly target: Target;
  readonly protocolVersion: string;
  readonly failure: Failure | undefined;
  /** Where it is a gateway: backends whose items it does not list, or not all of them. */
  readonly missing: readonly Shortfall[];
}

/** Never rejects: what goes wrong is part of the outcome. */
export async function listServer(target: Target, options: ListOptions, patience: Patience): Promise<Listed> {
  const evidence = new Evidence();
  let protocolVersion = "";
  const missing = new Map<string, Shortfall>();
  const page: ListOptions["page"] = (from, kind, each) => {
    for (const short of shortfallsOf(each)) missing.set(short.backend, short);
    return options.page(from, kind, each);
  };
  try {
    await using peer = await openPeer({ target, version: options.version, evidence }, patience);
    ({ protocolVersion } = peer.facts);
    for (const kind of options.kinds) {
      if (options.kinds.length > 1 && !declares(peer, kind)) continue;
      if (!(await listKind(peer, target, kind, { ...options, page }, patience))) break;
    }
    return { target, protocolVersion, failure: undefined, missing: [...missing.values()] };
  } catch (error) {
    const failure = describeFailure(error, target, evidence);
    return { target, protocolVersion, failure, missing: [...missing.values()] };
  }
}

async function listKind(
  peer: Peer,
  target: Target,
  kind: ItemKind,
  { cursor, maxPages, maxItems, page: heard }: ListOptions,
  patience: Patience,
): Promise<boolean> {
  for await (const page of walkPages(peer, { kind, cursor, maxPages, maxItems }, patience)) {
    if (!(await heard(target, kind, page))) return false;
  }
  return true;
}
