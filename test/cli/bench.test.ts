// `mcpctl bench`: exit codes, forms, and what it refuses.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { projectRoot, runtimeCommand, startScript, type Proc } from "../kit/process.ts";
import { createFolder, type Ended, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };

interface Fixture extends AsyncDisposable {
  readonly url: string;
}

async function start(...args: readonly string[]): Promise<Fixture> {
  const proc: Proc = startScript("cli/main.ts", ["bench", "fixture", "--port", "0", ...args]);
  const [, url = ""] = await proc.line(/^listening (http:\S+)$/);
  return { url, [Symbol.asyncDispose]: () => proc[Symbol.asyncDispose]() };
}

function bench(...args: readonly string[]): Ended {
  return mcpctl(["bench", ...args]);
}

/** The same beside others: for what is refused, or mostly waits. */
async function benching(...args: readonly string[]): Promise<Ended> {
  await using proc = startScript("cli/main.ts", ["bench", ...args]);
  proc.end();
  const { code } = await proc.exited;
  return { code, stdout: proc.stdout, stderr: proc.stderr };
}

test("bench: a threshold that is missed, and a run without a success, exit with 1", limits, async () => {
  await using good = await start("--delay", "20ms");
  const calls = [good.url, "work", "-r", "100/s", "-n", "50"];
  const kept = bench(...calls, "-T", "p50<10s", "-T", "rate>10/s");
  assert.equal(kept.code, 0, kept.stdout + kept.stderr);
  assert.match(kept.stdout, /^50 succeeded, 0 failed: 0% errors, [\d.]+\/s$/m);
  const missed = bench(...calls, "-T", "p50<15ms");
  assert.equal(missed.code, 1, missed.stdout + missed.stderr);
  assert.match(missed.stdout, /^missed +p50<15ms +\d/m);
  await using bad = await start("--fail-every", "1");
  const dead = bench(bad.url, "work", "-n", "20", "-T", "error_rate<=100%");
  assert.equal(dead.code, 1, dead.stdout);
  assert.match(dead.stdout, /^ +20 +isError +planted failure$/m);
});

test("bench: every form, and JSON as its schema says", limits, async () => {
  await using server = await start();
  using folder = createFolder();
  const files = ["a.html", "a.csv", "a.xml", "a.ndjson"].map((name) => join(folder.path, name));
  const reports = files.flatMap((file) => ["--report", file]);
  const { code, stdout, stderr } = bench(server.url, "work", "-c", "2", "-n", "200", "-o", "json", ...reports);
  assert.equal(code, 0, stderr);
  const schema = JSON.parse(mcpctl(["schema", "BenchReport"]).stdout);
  const slice = JSON.parse(mcpctl(["schema", "BenchSlice"]).stdout);
  const ajv = new Ajv2020({ strict: false });
  const report = JSON.parse(stdout);
  assert.deepEqual([report.calls.ok, report.load.model, report.load.clients], [200, "closed", 2]);
  assert.ok(ajv.validate(schema, report), ajv.errorsText());
  const [html = "", csv = "", xml = "", ndjson = ""] = files.map((file) => readFileSync(file, "utf8"));
  assert.match(html, /^<!doctype html>/);
  assert.match(csv, /^startMs,started,ok,failed,dropped,p50,p90,p99,max\n0,\d+,/);
  assert.match(xml, /<testsuite name="127\.0\.0\.1:\d+ work" tests="1" failures="0"/);
  const lines = ndjson
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  for (const line of lines.slice(0, -1)) assert.ok(ajv.validate(slice, line), ajv.errorsText());
  assert.ok(ajv.validate(schema, lines.at(-1)), ajv.errorsText());
});

test(
  "bench: what is not this machine, what may write, and what makes no sense is refused before any call",
  limits,
  async () => {
    await using server = await start();
    const refused = [
      [["https://example.com/mcp"], 2, /error\[E2007\] .*example\.com is not on this machine/],
      [[server.url, "write"], 2, /error\[E2006\]/],
      [[server.url, "wrok"], 2, /error\[E2004\] .*has no tool "wrok"/],
      [[server.url, "-r", "20000/s"], 2, /a rate beyond 10000\/s needs --max-rate/],
      [[server.url, "-r", "10/s", "-c", "4"], 2, /choose one/],
      [[server.url, "-T", "p99"], 2, /is no threshold/],
      [[server.url, "-T", "speed<1"], 2, /there is no metric "speed"/],
      [[server.url, "--report", "a.txt"], 2, /must end with/],
      [[server.url, "work", "--args", "{"], 2, /--args is no JSON/],
      [["http://127.0.0.1:1/mcp"], 4, /error\[E4101\]/],
    ] as const;
    await Promise.all(
      refused.map(async ([args, code, message]) => {
        const ended = await benching(...args);
        assert.equal(ended.code, code, ended.stderr);
        assert.match(ended.stderr, message);
        assert.equal(ended.stdout, "");
      }),
    );
  },
);

test("bench: a stored run fails one that is slower, and compare names the slower of two", limits, async () => {
  // A machine that has other things to do adds hundreds of milliseconds, to one run and not to the next.
  await using fast = await start("--delay", "400ms");
  await using slow = await start("--delay", "1500ms");
  using folder = createFolder({ "other.json": "{}" });
  const stored = join(folder.path, "base.json");
  const calls = ["-r", "100/s", "-d", "1500ms"];
  assert.equal(bench(fast.url, "work", ...calls, "--report", stored).code, 0);
  const against = [...calls, "--baseline", stored, "--tolerance", "100%"];
  const [same, worse] = await Promise.all([fast, slow].map(({ url }) => benching(url, "work", ...against)));
  assert.ok(same && worse);
  assert.equal(same.code, 0, same.stdout + same.stderr);
  assert.match(same.stdout, /^kept +p50 as the baseline +[+-]?[\d.]+% \(95 % interval /m);
  assert.equal(worse.code, 1, worse.stdout + worse.stderr);
  assert.match(worse.stdout, /^missed +p50 as the baseline +\+\d/m);
  assert.match(bench(fast.url, "--baseline", join(folder.path, "other.json")).stderr, /is no BenchReport/);

  // Run by turns, both get the same of what the machine adds.
  await using quick = await start("--delay", "100ms");
  await using late = await start("--delay", "500ms");
  const rounds = ["-r", "50/s", "-d", "1600ms", "--rounds", "4"];
  const compared = bench("compare", `${quick.url}#work`, late.url, ...rounds, "-o", "json");
  assert.equal(compared.code, 1, compared.stdout + compared.stderr);
  const comparison = JSON.parse(compared.stdout);
  assert.equal(comparison.verdict, "slower");
  const ajv = new Ajv2020({ strict: false });
  assert.ok(ajv.validate(JSON.parse(mcpctl(["schema", "BenchComparison"]).stdout), comparison), ajv.errorsText());
});

test("bench: the build of the README passes, and fails where a server became slower", limits, async () => {
  const readme = readFileSync(join(projectRoot, "README.md"), "utf8");
  const block = [...readme.matchAll(/^```sh\n([^]*?)^```$/gm)]
    .map(([, text = ""]) => text)
    .find((text) => text.includes("--baseline"));
  assert.ok(block);
  // Shorter, and with room for a machine that has other things to do.
  const script = block.replaceAll("-d 5s", "-d 1500ms").replace("5%", "100%").replace("p99<250ms", "p99<5s");
  assert.equal(script.match(/1500ms|100%|5s/g)?.length, 4);
  const [once = "", build = ""] = script.split("\n\n");
  const [command, args] = runtimeCommand("cli/main.ts");
  using folder = createFolder({
    mcpctl: `#!/bin/sh\nexec ${[command, ...args].map((word) => `'${word}'`).join(" ")} "$@"\n`,
  });
  chmodSync(join(folder.path, "mcpctl"), 0o755);
  await using fast = await start("--delay", "500ms");
  await using slow = await start("--delay", "3s");
  const shell = (text: string, url: string): number | null => {
    const env = { ...process.env, SERVER: url, PATH: `${folder.path}:${process.env["PATH"] ?? ""}` };
    return spawnSync("sh", ["-euc", text], { cwd: folder.path, env, stdio: "ignore", timeout: 120_000 }).status;
  };
  assert.equal(shell(once, fast.url), 0);
  assert.equal(shell(build, fast.url), 0);
  assert.match(readFileSync(join(folder.path, "junit.xml"), "utf8"), /<testsuite [^>]*tests="5" failures="0"/);
  assert.equal(shell(build, slow.url), 1);
  assert.match(readFileSync(join(folder.path, "junit.xml"), "utf8"), /name="p50 as the baseline">\s*<failure/);
});

test("bench: failover of the gateway loses nothing and doubles nothing, killed and frozen", limits, () => {
  const faults = ["--fault", "kill:b@1s..2s", "--fault", "freeze:a@3500ms..4500ms", "-d", "6s", "-r", "50/s"];
  const rules = ["-T", "lost==0", "-T", "duplicated==0", "-T", "error_rate==0%"];
  const run = (): Ended => bench("failover", ...faults, ...rules, "-o", "json");
  // Where the machine itself stands still, replicas that are well look frozen, too: such a run says nothing.
  const isStarved = ({ stdout }: Ended): boolean => JSON.parse(stdout).generator.lagP99Ms > 25;
  let ended = run();
  for (let again = 0; again < 3 && isStarved(ended); again += 1) ended = run();
  const { code, stdout, stderr } = ended;
  assert.equal(code, 0, stdout + stderr);
  const report = JSON.parse(stdout);
  const { executions, faults: effects, calls } = report;
  assert.deepEqual([calls.started, executions.calls, executions.lost, executions.duplicated], [300, 300, 0, 0]);
  assert.equal(effects.length, 2);
  assert.equal(
    report.timeline.reduce((sum: number, beat: { started: number }) => sum + beat.started, 0),
    300,
  );
  const ajv = new Ajv2020({ strict: false });
  assert.ok(ajv.validate(JSON.parse(mcpctl(["schema", "FailoverReport"]).stdout), report), ajv.errorsText());
});

test("bench: failover breaks what was named, or the address itself", limits, async () => {
  using folder = createFolder();
  const journal = join(folder.path, "journal");
  await using server = await start("--journal", journal, "--name", "a");
  const port = new URL(server.url).port;
  const own = bench("failover", server.url, "work", "--fault", "reset@500ms..1s", "-d", "2s", "--journal", journal);
  assert.equal(own.code, 0, own.stdout + own.stderr);
  assert.match(own.stdout, /^reset@500ms\.\.1s +\d/m);
  assert.match(own.stdout, /^executions of 200 calls: \d+ lost, 0 duplicated$/m);
  const named = bench(
    "failover",
    server.url,
    "work",
    "--part",
    `s=port:${port}`,
    "--fault",
    "freeze:s@500ms..1s",
    "-d",
    "2s",
    "-T",
    "errors==0",
  );
  assert.equal(named.code, 0, named.stdout + named.stderr);
  const refusals = [
    [["--fault", "kill:c@1s..2s"], /there is no part c; there are a, b/],
    [["--fault", "kill:b@1s..20s"], /the run ends after 10000 ms/],
    [[server.url, "work"], /which fault\?/],
    [
      [server.url, "work", "--part", `s=port:${port}`, "--fault", "5xx:s@1s..2s"],
      /s is a process, which can have kill and freeze alone/,
    ],
    [[server.url, "--part", "s=port:1", "--fault", "kill:s@1s"], /no process of yours listens there/],
  ] as const;
  await Promise.all(
    refusals.map(async ([args, message]) => {
      const refused = await benching("failover", ...args);
      assert.equal(refused.code, 2, refused.stderr);
      assert.match(refused.stderr, message);
    }),
  );
});

test("bench: --timeout ends a run that is longer, and that is a no", limits, async () => {
  await using server = await start();
  const { code, stdout, stderr } = bench(server.url, "work", "-d", "60s", "--timeout", "2s", "-o", "json");
  assert.equal(code, 1, stdout + stderr);
  const { ok, thresholds } = JSON.parse(stdout);
  assert.deepEqual([ok, thresholds[0]], [false, { threshold: "the whole run", actual: "cut after 2 s", ok: false }]);
});

test("bench: through a gateway, and a command line", limits, async () => {
  await using gateway = startScript("cli/main.ts", ["serve", "--demo", "--port", "0"]);
  const [url] = await gateway.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  const through = bench(url, "clock__now", "-r", "100/s", "-n", "30", "-o", "json");
  assert.equal(through.code, 0, through.stderr);
  assert.equal(JSON.parse(through.stdout).calls.ok, 30);
});
