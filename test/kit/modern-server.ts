// A full server on the SDK's 2.x line for tests, modern only unless `--both`: `modern-server.ts stdio|http [port] [flags]`.
import process from "node:process";
import { parseArgs } from "node:util";
import { askingPrompt } from "./fixture-asks.ts";
import { prompts } from "./fixture-content.ts";
import { loadSkills } from "./modern-skills.ts";
import { modernSuiteTools } from "./modern-suite-tools.ts";
import { taskTools } from "./modern-tasks.ts";
import { badHeaderTool, modernGatewayTools } from "./modern-tools.ts";
import { createModernWorld } from "./modern-world.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    /** Serves the legacy revisions too: over HTTP with sessions. */
    both: { type: "boolean", default: false },
    name: { type: "string", default: "modern-fixture" },
    /** How long listings and resources may be cached, in milliseconds. */
    ttl: { type: "string", default: "60000" },
    /** Who may share a cached answer: `public` or `private`. */
    scope: { type: "string", default: "public" },
    /** Offers the skills extension. */
    skills: { type: "boolean", default: false },
    /** Offers a tool whose header annotation is invalid. */
    "bad-header": { type: "boolean", default: false },
  },
});

const [mode = "stdio", port = "0"] = positionals;
const world = createModernWorld(
  {
    name: values.name,
    both: values.both,
    ttlMs: Number(values.ttl),
    cacheScope: values.scope === "private" ? "private" : "public",
  },
  [...modernSuiteTools, ...modernGatewayTools, ...taskTools, ...(values["bad-header"] ? [badHeaderTool] : [])],
  [...prompts, { name: askingPrompt.name, description: askingPrompt.description }],
  values.skills ? await loadSkills() : undefined,
);

if (mode === "http") {
  const { serveModernHttp } = await import("./modern-http.ts");
  process.stdout.write(`listening ${await serveModernHttp(world, Number(port))}\n`);
  // Set by the kit: a test that was aborted leaves no server behind.
  if (process.env["EXIT_WITH_STDIN"] === "1") process.stdin.resume().on("end", () => process.exit(0));
} else {
  const { serveModernStdio } = await import("./modern-stdio.ts");
  serveModernStdio(world);
  // Calls that are still running would keep the process alive after its client is gone.
  process.stdin.on("end", () => process.exit(0));
}
