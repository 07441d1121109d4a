// The lock file on the disk.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import process from "node:process";
import { GatewayError } from "../core/errors.ts";
import { formatLock, type Lock, parseLock } from "../merge/lock.ts";

/** Undefined where there is no such file; throws `configInvalid` where it is no lock. */
export function readLock(file: string): Lock | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new GatewayError("configInvalid", `${file} cannot be read`, { cause: error });
  }
  const lock = parseLock(text);
  if (!lock)
    throw new GatewayError("configInvalid", `${file} is no lock file of this version; write it with mcpctl lock`);
  return lock;
}

/** Writes the whole file at once: a gateway that watches it must not see half of it. */
export function writeLock(file: string, lock: Lock): void {
  const fresh = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(fresh, formatLock(lock));
    renameSync(fresh, file);
  } catch (error) {
    throw new GatewayError("output", `${file} cannot be written`, { cause: error });
  }
}
