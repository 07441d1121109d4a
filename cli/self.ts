// The command that starts this program again.

import process from "node:process";

export function ownCommand(): readonly string[] {
  const script = process.argv[1] ?? "";
  const isCompiled = script.startsWith("/$bunfs/") || /^[A-Z]:[\\/]~BUN[\\/]/i.test(script);
  if (isCompiled) return [process.execPath];
  return process.versions["deno"] ? [process.execPath, "run", "-A", "--no-check", script] : [process.execPath, script];
}
