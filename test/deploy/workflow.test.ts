// The steps of the workflow, run as a machine of the forge runs them: green as it is, and red where something became worse.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { parse } from "yaml";
import { createFolder, type Ended } from "../cli/kit.ts";
import { recordOf } from "../e2e/kit.ts";
import { projectRoot, runtimeCommand } from "../kit/process.ts";

const limits = { timeout: 120_000 };

/** The commands of the steps that have a name. */
function commands(): ReadonlyMap<string, string> {
  const workflow: unknown = parse(readFileSync(join(projectRoot, "deploy/github-actions.yaml"), "utf8"));
  const { steps } = recordOf(recordOf(recordOf(workflow)["jobs"])["servers"]);
  assert.ok(Array.isArray(steps));
  const named = steps.map(recordOf).filter(({ name }) => name !== undefined);
  return new Map(named.map(({ name, run }) => [String(name), String(run)]));
}

/** A checkout with a server, and `mcpctl` on its path. */
function checkout(): ReturnType<typeof createFolder> {
  const [command, args] = runtimeCommand("cli/main.ts");
  const clock = { command: "mcpctl", args: ["demo", "clock"] };
  const folder = createFolder({
    mcpctl: `#!/bin/sh\nexec "${command}" ${args.map((arg) => `"${arg}"`).join(" ")} "$@"\n`,
    "mcpctl.yaml": JSON.stringify({ backends: { clock } }),
  });
  chmodSync(join(folder.path, "mcpctl"), 0o755);
  return folder;
}

function run(command: string, cwd: string): Ended {
  const env = { ...process.env, PATH: `${cwd}:${process.env["PATH"] ?? ""}` };
  const ended = spawnSync("bash", ["-e", "-o", "pipefail", "-c", command], { cwd, env, encoding: "utf8" });
  return { code: ended.status, stdout: ended.stdout, stderr: ended.stderr };
}

test("workflow: each step passes, and fails where it has a reason to", limits, () => {
  using folder = checkout();
  const { path } = folder;
  const steps = commands();
  assert.deepEqual([...steps.keys()], ["validate", "probe", "tools", "bench"]);
  // A busy machine is slow: what matters here is whether the step works.
  const step = (name: string): Ended => run((steps.get(name) ?? "false").replace("250ms", "9s"), path);

  writeFileSync(join(path, "tools.json"), run("mcpctl list tools -c mcpctl.yaml -o json", path).stdout);
  for (const name of steps.keys()) {
    const { code, stdout, stderr } = step(name);
    assert.equal(code, 0, `${name}: ${stdout}${stderr}`);
  }
  assert.match(readFileSync(join(path, "bench.xml"), "utf8"), /<testsuites?[ >]/);

  // A tool that nobody has looked at.
  const known = readFileSync(join(path, "tools.json"), "utf8");
  writeFileSync(join(path, "tools.json"), known.replaceAll("clock/now", "clock/then").replaceAll('"now"', '"then"'));
  assert.equal(step("tools").code, 1);

  writeFileSync(join(path, "mcpctl.yaml"), '{ backends: { clock: { comand: "mcpctl" } } }');
  const invalid = step("validate");
  assert.equal(invalid.code, 1);
  assert.match(invalid.stdout, /^::error file=mcpctl\.yaml,line=1,/m);

  writeFileSync(join(path, "mcpctl.yaml"), JSON.stringify({ backends: { clock: { command: "false" } } }));
  assert.notEqual(step("probe").code, 0);
  assert.notEqual(step("bench").code, 0);
});
