// The backends of a health document, one line for each.

import { isRecord } from "../core/text.ts";

/** One backend of a health document. */
export interface BackendLine {
  readonly name: string;
  readonly state: string;
  readonly transport: string;
  /** Code and message of the last error; empty while there is none. */
  readonly error: string;
}

/** One line for each backend of a health document. */
export function backendLines(backends: unknown): readonly BackendLine[] {
  if (!isRecord(backends)) return [];
  return Object.entries(backends).flatMap(([name, value]) => {
    if (!isRecord(value)) return [];
    const { error } = value;
    const said = isRecord(error) ? `${textOf(error["code"])} ${textOf(error["message"])}` : "";
    return [{ name, state: textOf(value["state"]), transport: textOf(value["transport"]), error: said }];
  });
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
