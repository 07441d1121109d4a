// A run as one HTML file: its figures and charts, which opens without a network and prints.

import { type BenchReport, formatMs, formatShare, type LatencySummary } from "../lib/bench.ts";
import { type BenchResult, percentileText } from "./bench-result.ts";
import { type Axis, type Bars, chartFigure, niceAxis } from "./html-charts.ts";
import { figureList, htmlDetails, htmlPage, htmlTable } from "./html-page.ts";
import { escapeXml } from "./markup.ts";

export function htmlReport({ report, thresholds, ok }: BenchResult): string {
  const { target, call, where, protocolVersion, server, startedAt, generator } = report;
  const valid = generator.valid ? "The generator kept up: the figures are valid." : `NOT VALID: ${generator.note}.`;
  const judged = thresholds.map((each) => [each.ok ? "kept" : "missed", each.threshold, each.actual]);
  const body = [
    `<h1>${escapeXml(`${target}: ${call}`)}</h1>`,
    `<p>${escapeXml(how(report))}</p>`,
    `<p class="dim">${escapeXml([where, server, protocolVersion, startedAt].filter(Boolean).join(" · "))}</p>`,
    `<p class="verdict ${ok ? "good" : "bad"}">${ok ? "Every threshold was kept" : "A threshold was missed"}</p>`,
    figures(report),
    `<h2>Charts</h2><div class="charts">${charts(report).join("\n")}</div>`,
    `<h2>Thresholds</h2>${htmlTable("Thresholds", ["Result", "Threshold", "Actual"], judged)}`,
    `<h2>Latencies</h2>${latencies(report)}`,
    errors(report),
    `<h2>Is it true?</h2><p class="${generator.valid ? "good" : "bad"}">${escapeXml(valid)}</p>`,
    `<p class="dim">Calls were started up to ${formatMs(generator.lagMaxMs ?? 0)} late, 99 % of them within ${formatMs(generator.lagP99Ms ?? 0)}. Latency counts from when a call was to start, and only successful calls have one.</p>`,
    htmlDetails("Figures of each stretch of the run", timeline(report)),
  ];
  return htmlPage(`${target}: ${call}`, body.filter(Boolean).join("\n"));
}

function how({ load }: BenchReport): string {
  const seconds = Number((load.durationMs / 1000).toFixed(1));
  const sessions = load.sessions === 1 ? "one session" : `${load.sessions} sessions`;
  const model =
    load.model === "open" ? `${load.rate ?? ""} by the clock` : `${load.clients ?? 0} clients in a closed loop`;
  return `${model} for ${seconds} s, ${sessions}`;
}

function figures({ calls, latencyMs, sessions, process: usage }: BenchReport): string {
  const ms = (value: number | undefined): string => (value === undefined ? "none" : formatMs(value));
  return figureList([
    ["p50", ms(latencyMs?.p50)],
    ["p99", ms(latencyMs?.p99)],
    ["slowest", ms(latencyMs?.max)],
    ["successful calls", `${calls.ratePerSecond.toFixed(1)}/s`],
    ["errors", formatShare(calls.errorRate)],
    ["calls", String(calls.started)],
    ["dropped", String(calls.dropped)],
    ["sessions lost", String(sessions.lost)],
    ...(usage && usage.processes > 0 ? ([["server", `${usage.cores.toFixed(2)} cores`]] as const) : []),
  ]);
}

function secondsAxis(durationMs: number): Axis {
  const axis = niceAxis(durationMs / 1000, (value) => `${Number(value.toPrecision(3))} s`, 5);
  // Empty room on the right says that the run went on.
  return { ...axis, ticks: axis.ticks.filter(([value]) => value <= durationMs / 1000), to: durationMs / 1000 };
}

function charts(report: BenchReport): readonly string[] {
  const { latencyMs } = report;
  if (!latencyMs) return ["<p>No call succeeded, so there is nothing to draw.</p>"];
  return [overTime(report), outcomes(report), spread(report), curve(latencyMs), phases(report)];
}

function overTime({ timeline, load, sliceMs }: BenchReport): string {
  const percentiles = ["p50", "p90", "p99"] as const;
  const most = Math.max(...timeline.map(({ p99 }) => p99 ?? 0));
  return chartFigure({
    title: "Latency over time",
    description: `The highest p99 of a stretch is ${formatMs(most)}.`,
    x: secondsAxis(load.durationMs),
    y: niceAxis(most, formatMs),
    lines: percentiles.map((name) => ({
      name,
      points: timeline.map((slice) => {
        const value = slice[name];
        return value === null ? undefined : ([(slice.startMs + sliceMs / 2) / 1000, value] as const);
      }),
    })),
  });
}

function outcomes({ timeline, load, sliceMs, calls }: BenchReport): string {
  const kinds = ["ok", "failed", "dropped"] as const;
  const most = Math.max(...timeline.map(({ ok, failed, dropped }) => ok + failed + dropped));
  return chartFigure({
    title: "Calls over time",
    description: `${calls.ok} succeeded, ${calls.failed} failed, ${calls.dropped} were dropped.`,
    x: secondsAxis(load.durationMs),
    y: niceAxis((most * 1000) / sliceMs, (value) => `${Number(value.toPrecision(3))}/s`),
    bars: kinds.map((name, index) => ({
      name,
      items: timeline.map((slice) => {
        const perSecond = (count: number): number => (count * 1000) / sliceMs;
        const base = kinds.slice(0, index).reduce((sum, kind) => sum + slice[kind], 0);
        const from = slice.startMs / 1000;
        return { from, to: from + sliceMs / 1000, base: perSecond(base), value: perSecond(slice[name]) };
      }),
    })),
  });
}

function spread({ spread: buckets }: BenchReport): string {
  const least = Math.log(buckets[0]?.fromMs ?? 1);
  const most = Math.log(buckets.at(-1)?.toMs ?? 10);
  const share = Math.max(...buckets.map((bucket) => bucket.share));
  const ticks = Array.from({ length: 5 }, (_, index) => least + ((most - least) * index) / 4);
  return chartFigure({
    title: "How latencies are spread",
    description: "Shares of the calls by latency, on a logarithmic scale.",
    x: { from: least, to: most, ticks: ticks.map((value) => [value, formatMs(Math.exp(value))] as const) },
    y: niceAxis(share, formatShare),
    bars: [
      {
        name: "share of calls",
        items: buckets.map(({ fromMs, toMs, share: value }) => ({
          from: Math.log(fromMs),
          to: Math.log(toMs),
          base: 0,
          value,
        })),
      },
    ],
  });
}

function curve(summary: LatencySummary): string {
  const shares = [
    [50, "p50", summary.p50],
    [75, "p75", summary.p75],
    [90, "p90", summary.p90],
    [95, "p95", summary.p95],
    [99, "p99", summary.p99],
    [99.9, "p99.9", summary.p999],
    [99.99, "p99.99", summary.p9999],
  ] as const;
  // Each nine takes the same room.
  const at = (percent: number): number => -Math.log10(1 - percent / 100);
  const known = shares.filter(([percent]) => summary.count >= 1 / (1 - percent / 100));
  const last = known.at(-1)?.[0] ?? 50;
  const labels = known.filter(([, name]) => name !== "p75" && name !== "p95");
  return chartFigure({
    title: "Percentiles",
    description: known.map(([, name, value]) => `${name} ${formatMs(value)}`).join(", "),
    x: {
      from: at(50),
      to: Math.max(at(last), at(90)),
      ticks: labels.map(([percent, name]) => [at(percent), name] as const),
    },
    y: niceAxis(Math.max(...known.map(([, , value]) => value)), formatMs),
    lines: [{ name: "latency", points: known.map(([percent, , value]) => [at(percent), value] as const) }],
  });
}

function phases({ phasesMs, serviceMs }: BenchReport): string {
  const all = [
    ["queue", phasesMs.queue],
    ["first byte", phasesMs.firstByte],
    ["body", phasesMs.body],
    ...(phasesMs.firstByte ? [] : ([["answer", serviceMs]] as const)),
  ] as const;
  const known = all.flatMap(([name, summary]) => (summary ? [{ name, summary }] : []));
  const most = Math.max(...known.map(({ summary }) => summary.p99));
  const items = (key: "p50" | "p99", shift: number): Bars["items"] =>
    known.map(({ summary }, index) => ({
      from: index + shift,
      to: index + shift + 0.38,
      base: 0,
      value: summary[key],
    }));
  const centers = known.map(({ name }, index) => [index + 0.5, name] as const);
  return chartFigure({
    title: "Where the time goes",
    description: known
      .map(({ name, summary }) => `${name}: p50 ${formatMs(summary.p50)}, p99 ${formatMs(summary.p99)}`)
      .join("; "),
    x: { from: 0, to: Math.max(1, known.length), ticks: [[0, ""], ...centers, [known.length, ""]] },
    y: niceAxis(most, formatMs),
    bars: [
      { name: "p50", items: items("p50", 0.1) },
      { name: "p99", items: items("p99", 0.5) },
    ],
  });
}

function latencies({ latencyMs, serviceMs, closedLoopMs, phasesMs, cold, warmup, load }: BenchReport): string {
  const rows: readonly (readonly [string, LatencySummary | null | undefined])[] = [
    [load.model === "open" ? "from the intended start" : "latency", latencyMs],
    ["from when it was sent", serviceMs],
    ...(load.model === "open" ? ([["a closed loop would say", closedLoopMs]] as const) : []),
    ["queue", phasesMs.queue],
    ["first byte", phasesMs.firstByte],
    ["body", phasesMs.body],
    ["cold: handshake", cold.openMs],
    ["cold: first call", cold.firstCallMs],
    ["warm-up", warmup?.latencyMs],
  ];
  const keys = ["p50", "p75", "p90", "p95", "p99", "p999", "p9999", "max"] as const;
  const head = ["", "calls", "p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99", "slowest"];
  const cells = rows.flatMap(([name, summary]) =>
    summary ? [[name, String(summary.count), ...keys.map((key) => percentileText(summary, key))]] : [],
  );
  return htmlTable("Latencies", head.with(0, "measured"), cells);
}

function errors({ errors: found }: BenchReport): string {
  if (found.length === 0) return "";
  const rows = found.map(({ class: name, count, message }) => [String(count), name, message]);
  return `<h2>Errors</h2>${htmlTable("Errors", ["Calls", "Class", "First message"], rows)}`;
}

function timeline({ timeline: slices }: BenchReport): string {
  const ms = (value: number | null): string => (value === null ? "-" : formatMs(value));
  const rows = slices.map(({ startMs, started, ok, failed, dropped, p50, p90, p99, max }) => [
    `${(startMs / 1000).toFixed(2)} s`,
    ...[started, ok, failed, dropped].map(String),
    ...[p50, p90, p99, max].map(ms),
  ]);
  return htmlTable("Stretches", ["from", "started", "ok", "failed", "dropped", "p50", "p90", "p99", "slowest"], rows);
}
