// Whether other clients would understand a config: what each of them cannot say, at its place.

import { type ClientName, writeBackend } from "../config/clients.ts";
import type { LoadOptions } from "../config/load.ts";
import { filePlace } from "../config/problems.ts";
import { loadRaw } from "../config/raw.ts";
import { entryOf } from "../config/tree.ts";
import { asRecord } from "../core/text.ts";
import type { FoundProblem } from "./problem-forms.ts";

const notPortable = "E3163";

export async function checkPortable(
  options: LoadOptions,
  clients: readonly ClientName[],
): Promise<readonly FoundProblem[]> {
  const raw = await loadRaw(options);
  if (!raw.root) return [];
  const section = entryOf(raw.root, "backends")?.node;
  const problems: FoundProblem[] = [];
  for (const [name, value] of Object.entries(asRecord(raw.value["backends"]))) {
    const backend = entryOf(section, name);
    for (const client of clients) {
      for (const { key, why } of writeBackend(client, asRecord(value)).lost) {
        const entry = entryOf(backend?.node, key) ?? backend;
        const place = entry ? filePlace(entry.key) : { file: "", line: 0, column: 0 };
        const message = `${client} does not understand backends.${name} in full: ${why}`;
        problems.push({ ...place, code: notPortable, severity: "warning", message, suggestion: undefined });
      }
    }
  }
  return problems;
}
