// The files of the front's TLS: read at the start, and again when they change, also by the swap of a symlink.

import { readFileSync, statSync } from "node:fs";
import type { ListenTlsPlan } from "./config/auth.ts";
import { GatewayError } from "./core/errors.ts";
import type { Observer } from "./core/observer.ts";
import { every } from "./core/scope.ts";
import type { ServerPem, TlsServer } from "./core/tls-server.ts";

/** Throws `configInvalid` where one of them cannot be read. */
export function readPem({ cert, key, clientCa }: ListenTlsPlan): ServerPem {
  return {
    cert: read(cert, "tls.cert"),
    key: read(key, "tls.key"),
    clientCa: clientCa === undefined ? undefined : read(clientCa, "tls.clientCa"),
  };
}

/** Looks at the files every `checkMs`; what is no good is said once, and what was in place stays. Returns what ends it. */
export function followPem(files: ListenTlsPlan, server: TlsServer, observer: Observer, checkMs: number): () => void {
  let known = stamp(files);
  return every(checkMs, () => {
    const now = stamp(files);
    if (now === known) return;
    known = now;
    try {
      server.renew(readPem(files));
      observer.log("info", "gateway", "the certificate was read again");
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      observer.log("error", "gateway", `the changed certificate is not used: ${why}`);
    }
  });
}

function read(file: string, key: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw new GatewayError("configInvalid", `${key} cannot be read from ${file} (${why})`, { cause: error });
  }
}

/** Different where any of the files is. */
function stamp({ cert, key, clientCa }: ListenTlsPlan): string {
  const stamps = [cert, key, clientCa ?? cert].map((file) => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat ? `${stat.ino}.${stat.mtimeMs}.${stat.size}` : "";
  });
  return stamps.join(" ");
}
