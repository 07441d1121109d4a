// Which certificates of a backend are accepted: the plan's word and the file that it names, as the socket needs them.
import { readFileSync } from "node:fs";
import type { TlsPlan } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";
import { errorCode, type TlsOptions } from "./socket.ts";

/** Read for every new link, so that a renewed file counts from the next one on. A `GatewayError` "unreachable" if it cannot be. */
export function readTrust(plan: TlsPlan | undefined): TlsOptions {
  if (plan === undefined) return {};
  const rejectUnauthorized = !plan.insecure;
  return plan.ca === undefined ? { rejectUnauthorized } : { rejectUnauthorized, ca: readAuthorities(plan.ca) };
}

function readAuthorities(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const message = `the certificates of tls.ca cannot be read from ${file} (${errorCode(error) ?? "unknown error"})`;
    throw new GatewayError("unreachable", message, { cause: error, data: { sent: false } });
  }
}
