// What a run was made on: versions and processor, and nothing that says whose machine it is.
import { readFileSync } from "node:fs";
import { cpus, totalmem, type } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { findNginx } from "./nginx.ts";
import { peerRuntime, peerVersions } from "./peers.ts";
import { projectRoot, runTool } from "./programs.ts";

const firstLine = (text: string): string => text.trim().split("\n", 1)[0] ?? "";

function tryTool(command: string, args: readonly string[]): string {
  try {
    return firstLine(runTool(command, args));
  } catch {
    return "unknown";
  }
}

function kernel(): string {
  // Without what a distribution or a provider appended to it.
  return /^\d+\.\d+/.exec(readFileSync("/proc/sys/kernel/osrelease", "utf8"))?.[0] ?? "";
}

export function describeMachine(binary: string): readonly (readonly [what: string, value: string])[] {
  const dirty = tryTool("git", ["-C", projectRoot, "status", "--porcelain", "--", "lib", "cli"]) !== "";
  const commit = tryTool("git", ["-C", projectRoot, "rev-parse", "--short", "HEAD"]);
  const lock = readFileSync(join(projectRoot, "package.json"), "utf8");
  return [
    ["processor", `${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} cores`],
    ["memory", `${Math.round(totalmem() / 2 ** 30)} GiB`],
    ["system", `${type()} ${kernel()}, ${process.arch}`],
    ["mcpctl", `${tryTool(binary, ["--version"])} (${commit}${dirty ? ", with changes" : ""})`],
    ["bun, of the binary", /"bun": "([^"]+)"/.exec(lock)?.[1] ?? "unknown"],
    ["nginx", tryTool(findNginx(), ["-v"]).replace("nginx version: nginx/", "")],
    ...Object.entries(peerVersions),
    ["their runtime", `node ${tryTool(peerRuntime(), ["--version"])}`],
    ["compiler", tryTool("cc", ["--version"])],
  ];
}
