// Another client's config as one of ours: references in our words, files of variables read in.

import { basename } from "node:path";
import { asRecord } from "../core/text.ts";
import { applyEnvFiles } from "./dialects.ts";
import type { LoadOptions } from "./load.ts";
import type { Problem } from "./problems.ts";
import { loadRaw } from "./raw.ts";
import { mapTexts, toValue } from "./tree.ts";

export interface Imported {
  /** Plain values of a config of ours; undefined where the file cannot be read. */
  readonly value: Readonly<Record<string, unknown>> | undefined;
  readonly problems: readonly Problem[];
  /** Variables that the other client would ask for. */
  readonly asked: readonly string[];
}

export async function importConfig(options: LoadOptions): Promise<Imported> {
  const raw = await loadRaw(options);
  if (!raw.root) return { value: undefined, problems: raw.problems, asked: [] };
  const completed = await applyEnvFiles(raw.root);
  const asked = new Set<string>();
  const root = mapTexts(completed.root, (text, { place }) => ownWords(text, place.source.folder, asked));
  const value = asRecord(toValue(root));
  return { value, problems: [...raw.problems, ...completed.problems], asked: [...asked] };
}

function ownWords(text: string, folder: string, asked: Set<string>): string {
  return text
    .replaceAll(/\$\{env:([A-Za-z_]\w*)\}/g, "${$1}")
    .replaceAll("${workspaceFolder}", folder)
    .replaceAll("${workspaceFolderBasename}", basename(folder))
    .replaceAll("${userHome}", "${HOME}")
    .replaceAll(/\$\{(?:pathSeparator|\/)\}/g, "/")
    .replaceAll(/\$\{input:([^}]+)\}/g, (_, name: string) => {
      const variable = name
        .toUpperCase()
        .replaceAll(/\W+/g, "_")
        .replace(/^(?=\d)/, "_");
      asked.add(variable);
      return `\${${variable}}`;
    });
}
