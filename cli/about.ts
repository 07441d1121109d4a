// `mcpctl version`: which program this is, for people and for scripts.

import process from "node:process";
import { spokenVersions } from "../lib/toolbox.ts";
import { formats, show } from "./answer.ts";
import { type Command, wordFlag } from "./command.ts";
import { outputFlag } from "./common.ts";
import { version } from "./version.ts";

const command: Command = {
  meta: { name: "version", description: "Show the version" },
  args: { output: outputFlag(formats) },
  examples: ["mcpctl version", "mcpctl version -o json"],
  async run(flags) {
    const format = wordFlag(flags, "output", formats) ?? "table";
    const { platform, arch } = process;
    const { bun, deno } = process.versions;
    const runtime = bun ? `bun ${bun}` : deno ? `deno ${deno}` : "";
    const body = { version, runtime, platform: `${platform}-${arch}`, protocolVersions: spokenVersions };
    await show(format, {
      kind: "Version",
      body,
      names: [version],
      text: (wide) => (wide ? [`${version}  ${runtime}  ${body.platform}  ${spokenVersions.join(" ")}`] : [version]),
    });
    return 0;
  },
};

export default command;
