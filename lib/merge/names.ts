// How local names become exposed names, injectively, and which backends a view shows.

import { nodeCrypto } from "../core/builtins.ts";
import type { ExposedName, LocalName } from "../core/nouns.ts";
import type { Grants } from "./grants.ts";

/** What one endpoint shows: every backend under `/mcp`, one by its local names, or a view of the config, under `/mcp/…`. */
export interface View {
  /** Empty for the whole gateway, else the name of the backend, or of the view of the config. */
  readonly backend: string;
  readonly naming: "prefix" | "none" | "conflict";
  readonly separator: string;
  /** What who looks may see of it; absent: everything. */
  readonly grants?: Grants;
}

/** Clients refuse longer names; see 2025-11-25, Tools, "Tool Names". */
const maxLength = 64;
const digestLength = 8;
const allowed = /^[A-Za-z0-9_.-]*$/;
const forbidden = /[^A-Za-z0-9_.-]/g;
const shortened = /_[0-9a-f]{8}$/;

/** The exposed name of a tool or prompt: prefixed, and shortened with a digest of the whole where clients would refuse it. */
export function exposeName(view: View, backend: string, local: string): ExposedName {
  if (view.naming === "none") return local as ExposedName;
  const full = backend + view.separator + local;
  if (isPlainlyPrefixed(view, backend, local)) return full as ExposedName;
  const digest = nodeCrypto().createHash("sha256").update(full).digest("hex").slice(0, digestLength);
  return `${full.replace(forbidden, "_").slice(0, maxLength - digestLength - 1)}_${digest}` as ExposedName;
}

/** Whether the exposed name is the prefix and the local name as they are. */
export function isPlainlyPrefixed({ separator }: View, backend: string, local: string): boolean {
  return backend.length + separator.length + local.length <= maxLength && allowed.test(local);
}

/** Whether a name may be one that was shortened; a local name can look like it too. */
export function isShortened(exposed: string): boolean {
  return shortened.test(exposed);
}

/** Backend and local name of a prefixed name; undefined where it has no prefix. */
export function splitName(
  view: View,
  exposed: string,
): { readonly backend: string; readonly local: LocalName } | undefined {
  const at = exposed.indexOf(view.separator);
  if (view.naming === "none" || at <= 0) return undefined;
  return { backend: exposed.slice(0, at), local: exposed.slice(at + view.separator.length) as LocalName };
}

/** The id of a task of a modern backend, which says where its task is. */
export function exposeTask(view: View, backend: string, id: string): string {
  return view.backend === "" ? backend + view.separator + id : id;
}

/** Backend and own id of a task; undefined for an id that {@link exposeTask} never gave. */
export function splitTask(
  view: View,
  exposed: string,
): { readonly backend: string; readonly local: string } | undefined {
  if (view.backend !== "") return { backend: view.backend, local: exposed };
  const at = exposed.indexOf(view.separator);
  return at > 0 ? { backend: exposed.slice(0, at), local: exposed.slice(at + view.separator.length) } : undefined;
}

const scheme = "mcpctl://";

/** The URI of a resource whose own URI belongs to another backend. */
export function exposeUri(backend: string, uri: string): string {
  return `${scheme}${backend}/${encodeURIComponent(uri.toWellFormed())}`;
}

export function splitUri(uri: string): { readonly backend: string; readonly local: string } | undefined {
  if (!uri.startsWith(scheme)) return undefined;
  const at = uri.indexOf("/", scheme.length);
  if (at < 0) return undefined;
  try {
    return { backend: uri.slice(scheme.length, at), local: decodeURIComponent(uri.slice(at + 1)) };
  } catch {
    return undefined;
  }
}
