// The README says what is so: its tables are those of the program, and its examples work.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silentObserver } from "../../lib/core/observer.ts";
import { faultKinds } from "../../lib/ops/fault-wire.ts";
import { createFaults } from "../../lib/ops/faults-file.ts";
import { projectRoot, startScript } from "../kit/process.ts";
import { readmeRows } from "../kit/readme.ts";
import type { Rows } from "../kit/readme.ts";
import { createFolder, mcpctl } from "./kit.ts";
import { backendKeyRows, commandRows, keyRows } from "./readme-tables.ts";

const limits = { timeout: 120_000 };
const readme = readFileSync(join(projectRoot, "README.md"), "utf8");

function blocks(language: string): readonly string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "gm"))].map(([, text = ""]) => text);
}

function assertTable(name: string, expected: Rows): void {
  assert.ok(expected.length > 0);
  assert.deepEqual(
    readmeRows(name),
    expected,
    `the table "${name}" of the README should hold:\n${expected.map((row) => `| ${row.join(" | ")} |`).join("\n")}`,
  );
}

test("readme: the keys of a config are those of the schema", limits, async () => assertTable("keys", await keyRows()));

test("readme: the keys of a backend are those of the schema", limits, async () =>
  assertTable("backend-keys", await backendKeyRows()),
);

test("readme: the commands and flags are those of --help", limits, () => assertTable("commands", commandRows()));

test("readme: the config is valid as it stands, and its mistake is reported as it says", limits, () => {
  const [config = ""] = blocks("yaml");
  const mistake = blocks("").find((block) => block.includes("error[E3101]")) ?? "";
  const misspelt = config.replace("command: npx", "comand: npx");
  assert.notEqual(misspelt, config);
  using folder = createFolder({ "mcpctl.yaml": config });
  const good = mcpctl(["validate"], folder.path, { HOME: "/home/you" });
  // Which of these programs a machine has is its own affair.
  const said = good.stderr.split("\n").filter((line) => line !== "" && !line.includes("E3155"));
  assert.deepEqual([good.code, said], [0, []]);
  assert.match(good.stdout, /valid, 4 backends/);
  using other = createFolder({ "mcpctl.yaml": misspelt });
  const [, line, rest = ""] = /^mcpctl\.yaml:(\d+):5 (.*)$/.exec(mistake.trim()) ?? [];
  assert.ok(line !== undefined, mistake);
  assert.ok(
    mcpctl(["validate"], other.path).stderr.includes(`mcpctl.yaml:${line}:5 ${rest}`),
    mcpctl(["validate"], other.path).stderr,
  );
});

test("readme: the config for replicas is valid, too, and the faults are those that there are", limits, async () => {
  const resilience = blocks("yaml").find((text) => text.includes("hedge:")) ?? "";
  using configured = createFolder({ "mcpctl.yaml": resilience });
  const { code, stdout, stderr } = mcpctl(["validate"], configured.path);
  assert.equal(code, 0, `${stdout}${stderr}`);
  const faults = blocks("yaml").find((text) => text.includes("faults:")) ?? "";
  using folder = createFolder({ "faults.yaml": faults });
  assert.equal((await createFaults(join(folder.path, "faults.yaml"), silentObserver)).ruleCount, 3);
  const named = [...readme.matchAll(/^\| `(\w+)` +\| [^|]+ \|$/gm)].map(([, name = ""]) => name);
  assert.deepEqual(
    faultKinds.filter((kind) => !named.includes(kind)),
    [],
  );
});

test("readme: the configs for clients are JSON with the default endpoint", () => {
  const configs = [...readme.matchAll(/`(\{.*?\})`/g)].map(([, text = ""]) => text);
  assert.equal(configs.length, 2);
  for (const text of configs) assert.ok(JSON.stringify(JSON.parse(text)).includes("http://127.0.0.1:7337/mcp"), text);
});

const hasCurl = spawnSync("curl", ["--version"]).status === 0;

test("readme: the conversation by curl ends with the time", { ...limits, skip: !hasCurl }, async () => {
  await using demo = startScript("cli/main.ts", ["serve", "--demo", "--port", "0"]);
  const [url] = await demo.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  const script =
    blocks("sh")
      .find((block) => block.includes("curl"))
      ?.replaceAll("http://127.0.0.1:7337/mcp", url) ?? "";
  const shell = spawn("bash", ["-euc", script], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  shell.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = await once(shell, "close");
  assert.equal(code, 0);
  assert.match(output, /"id":2,"result":\{.*replica/, output);
});
