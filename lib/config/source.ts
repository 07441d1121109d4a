// One config file to a tree: bounded reading, and the parser that its name asks for. Parsers are loaded when needed.

import { closeSync, openSync, readSync, statSync } from "node:fs";
import { basename, dirname, extname, isAbsolute, relative } from "node:path";
import process from "node:process";
import { type Problem, type Source, problemAt, problemOf } from "./problems.ts";
import type { Node } from "./tree.ts";

/** What reading a file gives: its tree, or what is wrong with it. */
export interface Read {
  readonly root: Node | undefined;
  readonly problems: readonly Problem[];
}

// Hand-written configs are a thousand times smaller, and a parser of YAML takes seconds for a few dense megabytes.
const maxBytes = 2 ** 20;
const scripts = new Set([".ts", ".mts", ".js", ".mjs"]);

/** Reads the config file at an absolute path. A script runs: only files that were named may be scripts. */
export async function readSource(file: string, cwd: string): Promise<Read> {
  const label = labelOf(file, cwd);
  const extension = extname(file).toLowerCase();
  if (scripts.has(extension)) {
    const { runModule } = await import("./module.ts");
    return runModule({ file, label, folder: dirname(file), text: "", lineStarts: [0] });
  }
  const text = await readText(file);
  if (typeof text !== "string") return failed("unreadable", label, text.reason);
  const source = { file, label, folder: folderOf(file), text, lineStarts: findLines(text) };
  if (text.trim() === "") return failed("empty", label, "the file is empty; it needs at least one backend");
  return onlyMaps(await parse(source, extension));
}

function onlyMaps(read: Read): Read {
  const { root, problems } = read;
  if (root === undefined || root.kind === "map" || problems.length > 0) return read;
  const isEmpty = root.kind === "scalar" && root.value === null;
  const problem = isEmpty
    ? problemAt("empty", root.place, [], "the file is empty; it needs at least one backend")
    : problemAt("wrongType", root.place, [], "the file must be a map of settings");
  return { root, problems: [problem] };
}

/** A file as people name it: relative to the working directory unless that leads upwards. */
function labelOf(file: string, cwd: string): string {
  const short = relative(cwd, file);
  return short === "" || short.startsWith("..") || isAbsolute(short) ? file : short;
}

/** The text of a small UTF-8 file, or why there is none. */
export async function readText(file: string): Promise<string | { readonly reason: string }> {
  let bytes: Uint8Array;
  try {
    bytes = await readBounded(file);
  } catch (error) {
    const code = systemCode(error);
    return { reason: code === "ENOENT" ? "is not there" : `cannot be read (${code})` };
  }
  if (bytes.length > maxBytes) return { reason: "is larger than 1 MiB; that is no config file" };
  if (bytes.includes(0)) return { reason: "is not a text file in UTF-8" };
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { reason: "is not a text file in UTF-8" };
  }
}

// Reads no more than it needs to know that a file is too large: it may be a device or a pipe without an end.
async function readBounded(file: string): Promise<Uint8Array> {
  const buffer = new Uint8Array(maxBytes + 1);
  // A small file is read sooner than a thread has started that could wait for it.
  if (statSync(file).isFile()) return readNow(file, buffer);
  const { open } = process.getBuiltinModule("node:fs/promises");
  const handle = await open(file, "r");
  try {
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}

function readNow(file: string, buffer: Uint8Array): Uint8Array {
  const handle = openSync(file, "r");
  try {
    let length = 0;
    while (length < buffer.length) {
      const bytesRead = readSync(handle, buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(handle);
  }
}

async function parse(source: Source, extension: string): Promise<Read> {
  switch (extension) {
    // A name without an extension is a pipe or a device; YAML reads JSON, too.
    case "":
    case ".yaml":
    case ".yml": {
      const { parseYaml } = await import("./yaml.ts");
      return parseYaml(source);
    }
    case ".json":
    case ".jsonc":
    case ".json5": {
      const { parseJson } = await import("./json.ts");
      return parseJson(source, extension === ".json5" ? "json5" : "jsonc");
    }
    case ".toml": {
      const { parseToml } = await import("./toml.ts");
      return parseToml(source);
    }
    default: {
      const known = ".yaml, .yml, .toml, .json, .jsonc, .json5, .ts, .mts, .js or .mjs";
      return failed("unreadable", source.label, `has the unknown extension "${extension}"; use ${known}`);
    }
  }
}

function findLines(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

// Clients run what is in .vscode/mcp.json and .cursor/mcp.json from the folder that holds .vscode and .cursor.
function folderOf(file: string): string {
  const folder = dirname(file);
  return [".vscode", ".cursor"].includes(basename(folder)) ? dirname(folder) : folder;
}

function failed(kind: "unreadable" | "empty", label: string, message: string): Read {
  return { root: undefined, problems: [problemOf(kind, label, message)] };
}

/** `ENOENT` and the like; the runtime's own words are no use to people. */
function systemCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}
