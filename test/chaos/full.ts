// The long runs in full, with what they found: `bun test/chaos/full.ts soak [seconds]`.
import process from "node:process";
import { assertTruthful } from "./kit.ts";
import { soak } from "./soak.ts";

const [what = "", given] = process.argv.slice(2);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

switch (what) {
  case "soak": {
    const { seen, end, outcomes, executions, surveys, injected } = await soak(Number(given ?? 1_800), 30, print);
    assertTruthful(
      outcomes.filter(({ tool }) => tool.endsWith("add")),
      executions,
    );
    const answered = outcomes.filter(({ text }) => text !== undefined).length;
    print(`end: ${JSON.stringify(end)}`);
    print(
      `${outcomes.length} calls, ${answered} answered, ${injected} faults, ${surveys} surveys; ${seen.length} looks`,
    );
    break;
  }
  default:
    throw new Error(`there is soak, not ${what}`);
}
