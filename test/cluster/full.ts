// What a fleet goes through, in full, and what it lost by that, in RESULTS.md: `npm run fleet [exchange|reload|kill|faults]…`.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { projectRoot } from "../kit/process.ts";
import { exchangeWorkers, killMembers, type Ordeal, reloadConfigs } from "./rolling.ts";

const size = { sessions: 200, subscriptions: 200, callsPerSecond: 200 };
const results = join(projectRoot, "test/cluster/RESULTS.md");
const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Row {
  readonly what: string;
  readonly rounds: number;
  readonly ordeal: Ordeal;
  /** What else was seen. */
  readonly more: string;
}

const runs: Readonly<Record<string, () => Promise<Row>>> = {
  exchange: async () => {
    const rounds = 10;
    const ordeal = await exchangeWorkers(size, rounds);
    return { what: "both workers are exchanged (SIGUSR2)", rounds, ordeal, more: "" };
  },
  reload: async () => {
    const rounds = 100;
    const ordeal = await reloadConfigs(size, rounds);
    return { what: "the config changes", rounds, ordeal, more: `${ordeal.logged} lines say what changed` };
  },
  kill: async () => {
    const rounds = 9;
    const ordeal = await killMembers(size, rounds);
    const { outcomes, executions } = ordeal;
    const isUnsafe = ({ tool }: { readonly tool: string }): boolean => tool === "n__add";
    const unsafe = outcomes.filter(isUnsafe);
    const lost = outcomes.filter((outcome) => !isUnsafe(outcome) && outcome.text === undefined).length;
    const unknown = unsafe.filter(({ text }) => text === undefined).length;
    const twice = unsafe.filter(({ nonce }) => (executions.get(nonce) ?? 0) > 1).length;
    const more = [
      `${outcomes.length} more calls, ${lost} lost of those that may run twice;`,
      `of ${unsafe.length} others ${twice} ran twice, and ${unknown} callers were told that it is not known`,
    ].join(" ");
    return { what: "one of three processes behind nginx is killed (SIGKILL), and started again", rounds, ordeal, more };
  },
};

function rowOf({ what, rounds, ordeal, more }: Row): string {
  const { calls, opened, failures, seconds } = ordeal;
  const cells = [what, rounds, seconds.toFixed(0), calls, opened, failures.length, more];
  return `| ${cells.join(" | ")} |`;
}

const names = process.argv.slice(2);
const lines: string[] = [];
for (const [name, run] of Object.entries(runs)) {
  if (names.length > 0 && !names.includes(name)) continue;
  const row = await run();
  for (const failure of row.ordeal.failures.slice(0, 10)) print(failure);
  print(rowOf(row));
  lines.push(rowOf(row));
}
if (names.length === 0 || names.includes("faults")) {
  // Each fault of a server that three processes have, and what becomes of the calls: the same tests as with one process.
  const env = { ...process.env, MCPCTL_TEST_FLEET: "3" };
  const args = ["test", "--timeout", "600000", "test/chaos/matrix.test.ts"];
  execFileSync(process.execPath, args, { cwd: projectRoot, env, stdio: "inherit" });
}
if (names.length === 0) {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: projectRoot, encoding: "utf8" }).trim();
  const head = readFileSync(results, "utf8").split("\n| what happens")[0] ?? "";
  const table = [
    "| what happens | times | s | calls that may run twice | streams opened | calls lost, sessions lost, changes missed | and |",
    "| -- | -- | -- | -- | -- | -- | -- |",
    ...lines,
    "",
    `Commit ${commit}, Bun ${process.versions["bun"] ?? ""}, ${cpus().length} × ${cpus()[0]?.model ?? ""}, where other work went on.`,
  ];
  writeFileSync(results, `${head}\n${table.join("\n")}\n`);
}
process.exit(0);
