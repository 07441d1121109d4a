// Paths of the front: an endpoint itself stands for all backends, and the name of a backend under it for that one.

import type { Principal } from "../core/principal.ts";
import type { HttpRequest } from "./exchange.ts";
import type { View } from "../merge/names.ts";
import type { Hub } from "../route/hub.ts";

/** The view at a path as `who` sees it; undefined where the path is not of this endpoint, or names nothing for them. */
export function viewAt(hub: Hub, endpoint: string, path: string, who: Principal): View | undefined {
  const view = placeAt(hub, endpoint, path);
  return view && hub.seenBy(view, who);
}

function placeAt(hub: Hub, endpoint: string, path: string): View | undefined {
  if (path === endpoint) return hub.view("");
  if (!path.startsWith(`${endpoint}/`)) return undefined;
  const backend = decodePath(path.slice(endpoint.length + 1));
  return backend === "" ? undefined : hub.view(backend);
}

/** The path of an endpoint for a view. */
export function pathOf(endpoint: string, { backend }: View): string {
  return backend === "" ? endpoint : `${endpoint}/${encodeURIComponent(backend)}`;
}

function decodePath(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

/** Without the slash that some put at its end. */
export function plainPath({ path }: HttpRequest): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
