// Modules of the runtime that take milliseconds to load: each is loaded when it is first needed, and most never are.

import type * as Children from "node:child_process";
import type * as Crypto from "node:crypto";
import type * as Dns from "node:dns/promises";
import type * as Net from "node:net";
import process from "node:process";
import type * as Tls from "node:tls";

/** Ciphers and hashes; for random bytes and ids the global `crypto` is enough. */
export function nodeCrypto(): typeof Crypto {
  return process.getBuiltinModule("node:crypto");
}

/** Streams over sockets: for unix sockets, proxies and TLS, and wherever the runtime has nothing faster. */
export function net(): typeof Net {
  return process.getBuiltinModule("node:net");
}

export function tls(): typeof Tls {
  return process.getBuiltinModule("node:tls");
}

export function dns(): typeof Dns {
  return process.getBuiltinModule("node:dns/promises");
}

export function childProcess(): typeof Children {
  return process.getBuiltinModule("node:child_process");
}
