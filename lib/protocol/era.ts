// Which era a front request belongs to, from its headers and method, or why it is neither.

import { GatewayError } from "../core/errors.ts";
import type { EraCodec } from "./codec.ts";
import { legacyCodec } from "./legacy.ts";

/** Every revision that the front speaks, newest first. */
const spokenVersions: readonly string[] = legacyCodec.versions;

export type EraVerdict =
  | { readonly kind: "spoken"; readonly codec: EraCodec; readonly version: string | undefined }
  | { readonly kind: "refused"; readonly error: GatewayError };

/** Judges the `MCP-Protocol-Version` header of a request; an absent header leaves the version to the session. */
export function detectEra(versionHeader: string | undefined): EraVerdict {
  if (versionHeader === undefined) return { kind: "spoken", codec: legacyCodec, version: undefined };
  const version = versionHeader.trim();
  if (legacyCodec.versions.includes(version)) return { kind: "spoken", codec: legacyCodec, version };
  // A plain 400 without a modern error code is what makes a modern client fall back to initialize
  // (2026-07-28, Streamable HTTP, "Backward Compatibility").
  const shown = JSON.stringify(version.slice(0, 40));
  const error = new GatewayError(
    "unsupportedVersion",
    `unsupported protocol version ${shown}; this gateway speaks ${spokenVersions.join(", ")}`,
    { data: { supported: spokenVersions, requested: version.slice(0, 40) } },
  );
  return { kind: "refused", error };
}
