// JSON-RPC codes that only the modern era defines, and the HTTP status that an error's code asks for.

import { GatewayError } from "../core/errors.ts";

/** 2026-07-28, Base Protocol, "Error Codes". */
export const modernCodes = { headerMismatch: -32020, missingCapability: -32021, unsupportedVersion: -32022 } as const;

const methodNotFound = -32601;

/**
 * The HTTP status for a backend's error on its way to a modern client (2026-07-28, Streamable HTTP, "Protocol Version
 * Header"); 200 where the specification names none. The gateway's own errors have theirs in the table of errors.
 */
export function modernStatus(code: number): number {
  if (code === methodNotFound) return 404;
  return Object.values<number>(modernCodes).includes(code) ? 400 : 200;
}

/** Whether an HTTP refusal is that of a modern server (2026-07-28, Streamable HTTP, "HTTP+SSE Transport (2024-11-05)"). */
export function isModernRefusal(status: number, code: unknown): boolean {
  return typeof code === "number" && status >= 400 && modernStatus(code) === status;
}

/** The modern era has no code of its own for a resource that is not there. */
export function modernFailure(failure: GatewayError): GatewayError {
  const { code, message, data } = failure;
  return code === "resourceNotFound" ? new GatewayError("invalidParams", message, { data }) : failure;
}
