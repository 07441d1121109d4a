// Each command that asks a gateway against each way in which an address is none: exit code, code, cause and fix, time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runtime, startScript } from "../kit/process.ts";
import { startFailing, type Urls } from "./failing.ts";

const limits = { timeout: 280_000 };
const some = ["table", "json"] as const;
const listings = runtime === "bun" ? ["table", "wide", "json", "ndjson", "yaml", "name"] : some;

const asking: readonly (readonly [args: readonly string[], forms: readonly string[]])[] = [
  [["status"], listings],
  [["health"], some],
  [["why"], some],
  [["drain"], some],
  [["tail"], some],
  [["wait"], some],
];

const answers: readonly (readonly [name: string, url: (urls: Urls) => string, code: string, exit: number])[] = [
  ["wrong port", ({ closed }) => closed, "E4101", 4],
  ["connection reset", ({ reset }) => reset, "E4101", 4],
  ["401", ({ status401 }) => status401, "E5001", 5],
  ["404", ({ status404 }) => status404, "E6001", 6],
  ["500 with HTML", ({ status500 }) => status500, "E6001", 6],
  ["TLS error", ({ status404 }) => status404.replace("http:", "https:"), "E4101", 4],
  ["hangs", ({ silent }) => silent, "E4101", 4],
];

for (const [answer, url, code, exit] of answers) {
  test(`failures: a gateway that is none: ${answer}`, limits, async () => {
    await using failing = await startFailing();
    await Promise.all(
      asking.map(async ([args, forms]) => {
        const [name = ""] = args;
        const address = url(failing.urls);
        for (const form of forms) {
          const more = [...(name === "why" ? ["7", address] : [address]), "-o", form, "--timeout", "1500ms"];
          const startedAt = performance.now();
          await using proc = startScript("cli/main.ts", [...args, ...more]);
          const ended = await proc.exited;
          const told = `${answer}, ${name} -o ${form}\n${proc.stdout}\n${proc.stderr}`;
          assert.ok(performance.now() - startedAt < 25_000, told);
          // Who waits hears that it was in vain; a refusal stays one.
          const [wanted, status] = name === "wait" && exit !== 5 ? ["E4107", 4] : [code, exit];
          const late = answer === "hangs" && name === "tail" ? "E4104" : wanted;
          assert.deepEqual([ended.code, proc.stdout], [status, ""], told);
          const isJson = form === "json" || form === "ndjson";
          const said = isJson ? JSON.parse(proc.stderr) : undefined;
          if (said) assert.ok(said.code === late && said.cause !== "" && said.fix !== "", told);
          else assert.match(proc.stderr, new RegExp(`^error\\[${late}\\] \\S.*\n {2}cause: \\S.*\n {2}fix: \\S`), told);
        }
      }),
    );
  });
}
