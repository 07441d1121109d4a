// The public names of the load generator: what the commands under `bench` are made of.

export { Bench, type Progress } from "./ops/bench.ts";
export { type BenchCase, compileCase, readCases } from "./ops/bench-cases.ts";
export { readBaseline } from "./ops/bench-baseline.ts";
export {
  compareStored,
  compareTargets,
  type Comparison,
  type Difference,
  type Side,
  type SideResult,
  type Verdict,
} from "./ops/bench-compare.ts";
export type { Load } from "./ops/bench-drive.ts";
export { type FailoverResult, runFailover } from "./ops/bench-failover.ts";
export { createFixture, fixtureDefaults, type FixtureOptions } from "./ops/bench-fixture.ts";
export type { LatencySummary } from "./ops/bench-histogram.ts";
export { openJournal } from "./ops/bench-journal.ts";
export { parseRate } from "./ops/bench-rate.ts";
export { type BenchReport, reportRound } from "./ops/bench-report.ts";
export {
  benchMetrics,
  formatMs,
  formatShare,
  impliedErrorRate,
  type Judged,
  judgeThreshold,
  type Metrics,
  parseThreshold,
} from "./ops/bench-threshold.ts";
export { serveDemo } from "./ops/demo-server.ts";
export { startStage } from "./ops/failover-stage.ts";
export { FaultProxy } from "./ops/fault-proxy.ts";
export { type Fault, parseFault, type Part, processPart, proxyPart } from "./ops/bench-faults.ts";
export { serveFixture } from "./ops/fixture-http.ts";
export { listenersAt, markUsage, usageSince } from "./ops/process-usage.ts";
export { isRemote, processesOf } from "./ops/whereabouts.ts";
