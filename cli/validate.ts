// `mcpctl validate`: reports every mistake of a config, and starts nothing unless --online or --lock says so.

import { isAbsolute, relative } from "node:path";
import process from "node:process";
import { GatewayError, type Loaded, loadPlan } from "../lib/index.ts";
import {
  checkOnline,
  checkPortable,
  clientNames,
  type ClientName,
  type FoundProblem,
  toGithub,
  toJunit,
  toSarif,
} from "../lib/toolbox.ts";
import { formats, show } from "./answer.ts";
import { type Command, type Flags, hasFlag, listFlag, wordFlag } from "./command.ts";
import { outputFlag, serverFlags, timeoutOf } from "./common.ts";
import { answer, print, say } from "./output.ts";
import { limits } from "./patience.ts";
import { sayProblem } from "./problems.ts";
import { targetsOf } from "./servers.ts";
import { version } from "./version.ts";

const validateFormats = [...formats, "sarif", "github", "junit"] as const;

const command: Command = {
  meta: { name: "validate", description: "Check configs without starting anything" },
  args: {
    file: { type: "positional", description: "Config file, as with -c; any number of them", required: false },
    ...serverFlags,
    output: outputFlag(validateFormats),
    online: { type: "boolean", description: "Ask the servers, too: name, connection, handshake" },
    lock: { type: "boolean", description: "Ask the servers, too: are tools as mcp.lock has them" },
    fix: { type: "boolean", description: "Repair what is safe to repair, and show it" },
    for: { type: "string", description: "Clients that shall understand it, like cursor,vscode", valueHint: "clients" },
  },
  examples: [
    "mcpctl validate",
    "mcpctl validate -c mcpctl.yaml -c local.yaml",
    "mcpctl validate .mcp.json --for cursor,vscode",
    "mcpctl validate -o github",
  ],
  variadic: true,
  run: validate,
};

export default command;

async function validate(flags: Flags): Promise<number> {
  const format = wordFlag(flags, "output", validateFormats) ?? "table";
  const clients = clientsOf(flags);
  const files = [...listFlag(flags, "config"), ...flags.positionals];
  const options = { cwd: process.cwd(), env: process.env, files, lint: true };
  let loaded = await loadPlan(options);
  if (hasFlag(flags, "fix")) {
    const { fixFiles } = await import("./fixing.ts");
    if (await fixFiles(loaded)) loaded = await loadPlan(options);
  }
  const problems: FoundProblem[] = [...problemsOf(loaded)];
  if (loaded.kind === "ok" && clients.length > 0) problems.push(...(await checkPortable(options, clients)));
  if (loaded.kind === "ok" && hasFlag(flags, "online")) {
    using bound = limits(timeoutOf(flags));
    const targets = await targetsOf({ ...flags, values: withFiles(flags, files) }, undefined, true, true);
    problems.push(...(await checkOnline(targets, version, bound)));
  }
  if (loaded.kind === "ok" && hasFlag(flags, "lock")) {
    const { checkLock } = await import("./locking.ts");
    using bound = limits(timeoutOf(flags));
    problems.push(...(await checkLock(flags, files, bound)));
  }
  await report(format, loaded, problems);
  return exitOf(loaded, problems);
}

function withFiles({ values }: Flags, files: readonly string[]): Flags["values"] {
  return files.length === 0 ? values : new Map([...values, ["config", files]]);
}

function problemsOf(loaded: Loaded): readonly FoundProblem[] {
  return loaded.kind === "ok" ? loaded.warnings : loaded.problems;
}

function clientsOf(flags: Flags): readonly ClientName[] {
  return listFlag(flags, "for")
    .flatMap((each) => each.split(","))
    .map((written) => {
      const client = clientNames.find((name) => name === written);
      if (client === undefined)
        throw new GatewayError("usage", `--for knows ${clientNames.join(", ")}, not ${JSON.stringify(written)}`);
      return client;
    });
}

async function report(
  format: (typeof validateFormats)[number],
  loaded: Loaded,
  problems: readonly FoundProblem[],
): Promise<void> {
  const files = loaded.files.map(labelOf);
  const backends = loaded.kind === "ok" ? loaded.plan.backends.length : 0;
  const ok = !problems.some(({ severity }) => severity === "error");
  switch (format) {
    case "sarif":
      return answer(JSON.stringify(toSarif(problems, version), undefined, 2));
    case "github":
      return void (await print(
        toGithub(problems)
          .map((line) => `${line}\n`)
          .join(""),
      ));
    case "junit":
      return void (await print(toJunit(files, problems)));
    case "table":
    case "wide":
      for (const problem of problems) sayProblem(problem);
      if (problems.some(({ code }) => code === "E3114"))
        say("  fix: name a file with -c, or start with mcpctl serve --demo");
      if (ok && loaded.kind === "ok")
        await answer(`${files.join(", ")}: valid, ${backends} backend${backends === 1 ? "" : "s"}`);
      return;
    case "json":
    case "ndjson":
    case "yaml":
    case "name": {
      const bodies = problems.map(bodyOf);
      await show(format, {
        kind: "Validation",
        body: { ok, files, backends, problems: bodies },
        lines: bodies.map((body) => ({ apiVersion: "mcpctl/v1", kind: "Problem", ...body })),
        names: [...new Set(problems.map(({ code }) => code))],
        text: () => [],
      });
    }
  }
}

/** As problems name it. */
function labelOf(file: string): string {
  const short = relative(process.cwd(), file);
  return short === "" || short.startsWith("..") || isAbsolute(short) ? file : short;
}

function bodyOf(problem: FoundProblem): Readonly<Record<string, unknown>> {
  const { code, severity, file, line, column, message, suggestion, cause, fix } = problem;
  return { code, severity, file, line, column, message, suggestion, cause, fix };
}

/** There is no config, more than one, or a file that cannot be read: nothing was checked. */
const unread: ReadonlySet<string> = new Set(["E3108", "E3114", "E3115"]);

function exitOf(loaded: Loaded, problems: readonly FoundProblem[]): number {
  const errors = problems.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return 0;
  return loaded.kind === "invalid" && errors.every(({ code }) => unread.has(code)) ? 3 : 1;
}
