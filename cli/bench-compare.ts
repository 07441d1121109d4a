// `mcpctl bench compare`: which of two servers is slower, and by how much at least.

import { asGatewayError, GatewayError } from "../lib/index.ts";
import { Bench, compareTargets, type Comparison, processesOf, type Side } from "../lib/bench.ts";
import { describeFailure, Evidence, seconds, type Target } from "../lib/toolbox.ts";
import { document, toJson } from "./answer.ts";
import { loadFlags, type LoadRequest, oneTarget, readLoad, shareFlag } from "./bench-flags.ts";
import { compareBody, type CompareReport, compareText } from "./bench-compare-text.ts";
import { type Command, durationFlag, type Flags, numberFlag, wordFlag } from "./command.ts";
import { outputFlag } from "./common.ts";
import { Live } from "./live.ts";
import { print, say } from "./output.ts";
import { isCut, limitRun, type Limits, limits } from "./patience.ts";
import { sayFailure } from "./report.ts";
import { version } from "./version.ts";

const formats = ["table", "json"] as const;

const command: Command = {
  meta: { name: "bench compare", description: "Measure two servers side by side" },
  args: {
    a: { type: "positional", description: "name/tool or URL#tool", required: true },
    b: { type: "positional", description: "The other one; exits with 1 where it is slower", required: true },
    ...loadFlags,
    rounds: { type: "string", description: "Blocks A B B A, from 4 on; 8 if left out", valueHint: "number" },
    tolerance: { type: "string", description: "Less than this is no difference; 1% if left out", valueHint: "share" },
    "p99-limit": {
      type: "string",
      description: "Find the rate that each holds with this p99",
      valueHint: "duration",
    },
    output: outputFlag(formats),
  },
  examples: [
    "mcpctl bench compare http://127.0.0.1:9001/mcp#work http://127.0.0.1:9002/mcp#work -r 200/s -d 30s",
    'mcpctl bench compare old/search new/search --args \'{"q":"mcp"}\' --p99-limit 50ms',
  ],
  run: compare,
};

export default command;

async function compare(flags: Flags): Promise<number> {
  const format = wordFlag(flags, "output", formats) ?? "table";
  const [first, second] = flags.positionals;
  const a = await oneTarget(flags, first);
  const b = await oneTarget(flags, second, a.item);
  const [loadA, loadB] = [readLoad(flags, [a]), readLoad(flags, [b])];
  if (loadA.count !== Infinity) throw new GatewayError("usage", "compare takes a time: -n means nothing here");
  const blocks = numberFlag(flags, "rounds", 4) ?? 8;
  const roundMs = loadA.durationMs / (blocks * 4);
  if (roundMs < 100)
    throw new GatewayError("usage", `${blocks} blocks of 4 rounds leave ${Math.round(roundMs)} ms for each: raise -d`);
  const options = {
    load: loadA.load,
    blocks,
    roundMs,
    warmupMs: loadA.warmupMs,
    tolerance: shareFlag(flags, "tolerance") ?? 0.01,
    limitMs: durationFlag(flags, "p99-limit"),
    maxRate: loadA.maxRate,
  };
  using bound = limits(loadA.timeoutMs);
  const live = new Live();
  const progress = (done: number, of: number): void => live.draw([`  round ${done + 1} of ${of}`]);
  let comparison: Comparison;
  try {
    const before = new Set(processesOf(b, new Set()));
    await using benchA = await open(a, loadA, bound);
    const sideA: Side = { bench: benchA, roots: processesOf(a, before) };
    const known = new Set([...before, ...sideA.roots]);
    await using benchB = await open(b, loadB, bound);
    const sideB: Side = { bench: benchB, roots: processesOf(b, known) };
    limitRun(bound);
    comparison = await compareTargets({ a: sideA, b: sideB }, { ...options, progress }, bound.scope);
  } catch (error) {
    live.clear();
    const { row, code, backend } = asGatewayError(error);
    if (row.exit === 2 || code === "internal") throw error;
    const failure = describeFailure(error, backend === b.name ? b : a);
    sayFailure(failure, format === "json");
    return bound.interrupted ? 130 : failure.exit;
  }
  live.clear();
  const report: CompareReport = { nameA: a.name, nameB: b.name, call: loadA.call, blocks, roundMs, comparison };
  if (format === "json") await print(`${toJson(document("BenchComparison", compareBody(report)), 2)}\n`);
  else
    await print(
      compareText(report)
        .map((line) => `${line}\n`)
        .join(""),
    );
  if (bound.interrupted) return 130;
  if (isCut(bound)) {
    say(`cut after ${seconds(loadA.timeoutMs)}: there are fewer rounds than were asked for`);
    return 1;
  }
  const isDead = comparison.a.ok === 0 || comparison.b.ok === 0;
  return comparison.verdict === "slower" || isDead ? 1 : 0;
}

function open(target: Target, load: LoadRequest, bound: Limits): Promise<Bench> {
  const { cases, sessions, allowsWrites, callMs, maxInFlight, protocol } = load;
  const evidence = new Evidence();
  return Bench.open({ target, version, cases, sessions, evidence, allowsWrites, callMs, maxInFlight, protocol }, bound);
}
