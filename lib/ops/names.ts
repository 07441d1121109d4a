// Names of tools, prompts and resources that were listed before, by working directory: what completion offers.

import { asRecord } from "../core/text.ts";
import { type Environment, Memo } from "./memo.ts";
import type { ItemKind } from "./pages.ts";

const memo = new Memo("XDG_CACHE_HOME", [".cache"], "names.json");
const maxFolders = 50;
const maxNames = 2_000;
const commands: Readonly<Record<string, ItemKind>> = { call: "tools", get: "prompts", read: "resources" };

/** `server/item` of the kind that a command takes. */
export function knownItems(folder: string, command: string, env: Environment): readonly string[] {
  const kind = commands[command];
  const names = kind && asRecord(memo.read(env)[folder])[kind];
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
}

/** Remembers what was listed; where that fails nothing is lost but a convenience. */
export function keepItems(folder: string, kind: ItemKind, names: readonly string[], env: Environment): void {
  const all = memo.read(env);
  const { [folder]: before, ...others } = all;
  const kept = { ...asRecord(before), [kind]: names.slice(0, maxNames) };
  const entries = [...Object.entries(others).slice(-(maxFolders - 1)), [folder, kept]];
  memo.write(Object.fromEntries(entries), env);
}
