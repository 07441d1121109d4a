// Asks whether a config that merely lies in the working directory may start what it names.

import process from "node:process";
import { GatewayError } from "../lib/index.ts";
import { digestOf, isTrusted, keepTrust, needsTrust, type Target, whereabouts } from "../lib/toolbox.ts";
import { say } from "./output.ts";

/** Returns where the files may be used; throws `untrusted` otherwise. */
export async function askTrust(
  files: readonly string[],
  targets: readonly Pick<Target, "name" | "plan">[],
  given: readonly string[],
): Promise<void> {
  if (!needsTrust(targets.map(({ plan }) => plan))) return;
  const digest = digestOf(files);
  if (isTrusted(digest, process.env)) return;
  if (given.includes(digest)) return keepTrust(digest, files, process.env);
  const what = files.join(", ");
  if (process.stdin.isTTY && process.stderr.isTTY && (await agrees(what, targets))) {
    return keepTrust(digest, files, process.env);
  }
  const text = `${what} was found here and would start programs or send secrets; nobody has agreed to it as it is now: --trust ${digest}`;
  throw new GatewayError("untrusted", text);
}

async function agrees(what: string, targets: readonly Pick<Target, "name" | "plan">[]): Promise<boolean> {
  say(`${what} is used for the first time as it is now. It would use:`);
  for (const { name, plan } of targets) {
    for (const replica of plan.replicas) say(`  ${name}: ${whereabouts(replica)}`);
  }
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await lines.question("Use it? [y/N] ")).trim());
  } finally {
    lines.close();
  }
}
