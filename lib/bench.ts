// The public names of the load generator: what the commands under `bench` are made of.

export { Bench, type Progress } from "./ops/bench.ts";
export { type BenchCase, compileCase, readCases } from "./ops/bench-cases.ts";
export type { Load } from "./ops/bench-drive.ts";
export { createFixture, fixtureDefaults, type FixtureOptions } from "./ops/bench-fixture.ts";
export type { LatencySummary } from "./ops/bench-histogram.ts";
export { openJournal } from "./ops/bench-journal.ts";
export { parseRate } from "./ops/bench-rate.ts";
export { type BenchReport, reportRound } from "./ops/bench-report.ts";
export {
  formatMs,
  formatShare,
  impliedErrorRate,
  type Judged,
  judgeThreshold,
  parseThreshold,
} from "./ops/bench-threshold.ts";
export { serveDemo } from "./ops/demo-server.ts";
export { serveFixture } from "./ops/fixture-http.ts";
export { markUsage, usageSince } from "./ops/process-usage.ts";
export { isRemote, processesOf } from "./ops/whereabouts.ts";
