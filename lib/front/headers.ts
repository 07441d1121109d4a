// What the headers of a request to the endpoint must say.

import { GatewayError } from "../core/errors.ts";
import { detectEra, type EraVerdict } from "../protocol/era.ts";
import { headerNames } from "../protocol/modern-headers.ts";
import type { HttpRequest } from "./exchange.ts";

export const sessionHeader = "mcp-session-id";

export function requireJson(request: HttpRequest): void {
  const type = (request.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") throw new GatewayError("mediaType", "the content type must be application/json");
}

/** 2025-11-25, Transports: the client must list what it can take; wildcards list everything. */
export function requireAccept(request: HttpRequest, types: readonly string[]): void {
  const ranges = (request.header("accept") ?? "")
    .split(",")
    .map((range) => range.split(";", 1)[0]?.trim().toLowerCase());
  const takes = (type: string): boolean =>
    ranges.some((range) => range === "*/*" || range === type || range === `${type.split("/", 1)[0]}/*`);
  if (!types.every(takes)) throw new GatewayError("notAcceptable", `the client must accept ${types.join(" and ")}`);
}

/** Throws where the headers of a request that is none of a modern client name another revision than a legacy one. */
export function requireLegacy(verdict: EraVerdict): void {
  if (verdict.kind === "refused") throw verdict.error;
  if (verdict.kind === "modern")
    throw new GatewayError("invalidRequest", "a modern POST is one request or notification");
}

/** Modern clients have neither sessions nor streams of their own (2026-07-28, Streamable HTTP, "Backward Compatibility"). */
export function requireSession(request: HttpRequest): void {
  const verdict = detectEra(request.header(headerNames.version));
  if (verdict.kind === "modern")
    throw new GatewayError("methodNotAllowed", `clients of this revision send POST, and not ${request.method}`);
  requireLegacy(verdict);
}
