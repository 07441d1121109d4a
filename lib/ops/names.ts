// Names of tools, prompts and resources that were listed before, by working directory: what completion offers.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { asRecord } from "../core/text.ts";
import type { ItemKind } from "./pages.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const maxFolders = 50;
const maxNames = 2_000;
const commands: Readonly<Record<string, ItemKind>> = { call: "tools", get: "prompts", read: "resources" };

/** `server/item` of the kind that a command takes. */
export function knownItems(folder: string, command: string, env: Environment): readonly string[] {
  const kind = commands[command];
  const names = kind && asRecord(read(env)[folder])[kind];
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
}

/** Remembers what was listed; where that fails nothing is lost but a convenience. */
export function keepItems(folder: string, kind: ItemKind, names: readonly string[], env: Environment): void {
  const all = read(env);
  const { [folder]: before, ...others } = all;
  const kept = { ...asRecord(before), [kind]: names.slice(0, maxNames) };
  const entries = [...Object.entries(others).slice(-(maxFolders - 1)), [folder, kept]];
  const file = storeOf(env);
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(Object.fromEntries(entries)), { mode: 0o600 });
    renameSync(draft, file);
  } catch {
    // A home without room, or none at all.
  }
}

function read(env: Environment): Readonly<Record<string, unknown>> {
  try {
    return asRecord(JSON.parse(readFileSync(storeOf(env), "utf8")));
  } catch {
    return {};
  }
}

function storeOf(env: Environment): string {
  const home = env["HOME"] ?? env["USERPROFILE"] ?? homedir();
  return join(env["XDG_CACHE_HOME"] ?? join(home, ".cache"), "mcpctl", "names.json");
}
