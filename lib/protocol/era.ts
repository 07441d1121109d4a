// What the headers of a front request say of its era; its body has the last word.

import { GatewayError } from "../core/errors.ts";
import { legacyCodec } from "./legacy.ts";
import { modernVersions } from "./modern-meta.ts";
import { offeredVersions } from "./modern-request.ts";

export type EraVerdict =
  /** Also without the header, which leaves the version to the session. */
  | { readonly kind: "legacy" }
  | { readonly kind: "modern" }
  | { readonly kind: "refused"; readonly error: GatewayError };

const legacy: EraVerdict = { kind: "legacy" };
const modern: EraVerdict = { kind: "modern" };

/** Judges the `MCP-Protocol-Version` header of a request. */
export function detectEra(header: string | undefined): EraVerdict {
  if (header === undefined) return legacy;
  const version = header.trim();
  if (legacyCodec.versions.includes(version)) return legacy;
  if (modernVersions.some((each) => each === version)) return modern;
  const requested = version.slice(0, 40);
  const text = `unsupported protocol version ${JSON.stringify(requested)}; this gateway speaks ${offeredVersions.join(", ")}`;
  return {
    kind: "refused",
    error: new GatewayError("unsupportedVersion", text, { data: { supported: offeredVersions, requested } }),
  };
}
