// How often `mcpctl bench compare` finds a slowdown that was planted, and one that is not there.
import { join } from "node:path";
import type { Effort, Field } from "./field.ts";
import { atLeast, atMost, type Finding, type Limit } from "./report.ts";
import { runBenchCommand, startFixture } from "./toolbox.ts";

const runs = { full: 20, quick: 4 };
/** A machine's own noise is in milliseconds: of a shorter call it is a larger share than what is looked for. */
const delayMs = 40;
const slowerMs = 42;
const call = ["--protocol", "legacy", "-r", "300/s", "-d", "4s"];

export async function runCompare(field: Field, effort: Effort): Promise<Finding> {
  const count = effort.quick ? runs.quick : runs.full;
  const [a, equal, slower] = [
    await startFixture(field, "a", ["--delay", `${delayMs}ms`]),
    await startFixture(field, "equal", ["--delay", `${delayMs}ms`]),
    await startFixture(field, "slower", ["--delay", `${slowerMs}ms`]),
  ];
  const said: Readonly<Record<"planted" | "none", string[]>> = { planted: [], none: [] };
  const ratios: Readonly<Record<"planted" | "none", number[]>> = { planted: [], none: [] };
  // In turns, so that what else the machine does is felt by both.
  for (let turn = 0; turn < count; turn++)
    for (const [kind, b] of [
      ["planted", slower],
      ["none", equal],
    ] as const) {
      const report = await runBenchCommand(field, ["compare", `${a}#work`, `${b}#work`, ...call]);
      said[kind].push(report.text("verdict"));
      ratios[kind].push(report.list("differences")[0]?.number("estimate", "ratio") ?? Number.NaN);
    }
  const baseline = await compareWithStored(field, a, { slower, equal });
  const found = said.planted.filter((verdict) => verdict === "slower").length;
  const wrong = said.none.filter((verdict) => verdict !== "no difference").length;
  const row = (what: string, kind: "planted" | "none"): readonly string[] => {
    const times = (verdict: string): string => String(said[kind].filter((each) => each === verdict).length);
    const sorted = ratios[kind].toSorted((one, other) => one - other);
    const span = `${sorted[0]?.toFixed(3) ?? ""} to ${sorted.at(-1)?.toFixed(3) ?? ""}`;
    return [what, ...["slower", "faster", "no difference"].map(times), span];
  };
  return {
    tables: [
      {
        title: `verdicts of ${count} times \`mcpctl bench ${["compare", ...call].join(" ")}\``,
        head: ["B to A", "slower", "faster", "no difference", "ratio of p50"],
        rows: [row(`${slowerMs} ms to ${delayMs} ms`, "planted"), row(`${delayMs} ms to ${delayMs} ms`, "none")],
      },
    ],
    limits: [
      atLeast("runs of bench compare that find 5 % more", found, Math.ceil(count * 0.95), ` of ${count}`),
      atMost("runs of bench compare that find what is not there", wrong, Math.floor(count * 0.1), ` of ${count}`),
      baseline,
    ],
    failures: new Map(),
  };
}

/** A run that is stored, and what `--baseline` says of one that is slower and of one that is not. */
async function compareWithStored(
  field: Field,
  url: string,
  others: Readonly<Record<"slower" | "equal", string>>,
): Promise<Limit> {
  const file = join(field.stage.folder, "baseline.json");
  await runBenchCommand(field, [url, "work", ...call, "--report", file]);
  const isKept = async (other: string): Promise<boolean> =>
    (await runBenchCommand(field, [other, "work", ...call, "--baseline", file])).flag("ok");
  const [slower, equal] = [await isKept(others.slower), await isKept(others.equal)];
  const say = (kept: boolean): string => (kept ? "kept" : "missed");
  return {
    what: "a stored run as the baseline of 5 % more, and of as much",
    limit: "missed, kept",
    found: `${say(slower)}, ${say(equal)}`,
    reached: !slower && equal,
  };
}
