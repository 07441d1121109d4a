// A gateway in front of one server for each failure, and a good one: what it says of them, and what calls come back with.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { until } from "../e2e/kit.ts";
import { runtime } from "../kit/process.ts";
import type { Urls } from "./failing.ts";
import { assertError, assertGone, type Ended, exitOf, type Program, runCell } from "./failure-run.ts";
import { type Failure, failures, shellServer } from "./failure-table.ts";
import { createFolder } from "./kit.ts";

/** Beyond any machine's slowness. */
const longMs = 100_000;

type Document = ReturnType<typeof JSON.parse>;

interface Dead {
  readonly name: string;
  readonly code: string;
  /** It is up, and its listing alone is wrong. */
  readonly isListing: boolean;
}

const slug = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

const deadOf = ({ name, code }: Failure): Dead => ({ name: slug(name), code, isListing: code === "E6020" });

export async function checkServe(program: Program, urls: Urls, format: "human" | "json"): Promise<void> {
  const mark = `mark-${randomUUID()}`;
  // The silent ones are given up soon, and not before they had the time to print what they print.
  const timeouts = { connect: "8s" };
  const servers = failures.map(({ name, server, isSilent }) => {
    return [slug(name), { ...server(mark, urls), ...(isSilent ? { timeouts } : {}) }] as const;
  });
  const backends = { ...Object.fromEntries(servers), good: shellServer(mark, "2025-11-25") };
  using folder = createFolder({ "m.json": JSON.stringify({ backends }) });
  const args = ["serve", "-c", "m.json", "--port", "0", "--log-format", format];
  {
    await using serve = program.start(args, folder.path);
    const [url] = await serve.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr", longMs);
    const health = async (): Promise<Document> => (await fetch(new URL("/health", url))).json();
    const dead = failures.map(deadOf);
    // A server that has failed is tried again, and nothing is said of it meanwhile that was not true before.
    await until(
      async () => {
        const known = (await health()).backends;
        return dead.every(({ name, isListing }) => isListing || known[name].error !== undefined);
      },
      "every server has failed",
      longMs,
    );
    for (const each of dead) await serve.line(format === "human" ? logged(each) : loggedJson(each), "stderr", longMs);
    await serve.line(
      format === "human" ? /backend good: is up/ : /"backend":"good","message":"is up/,
      "stderr",
      longMs,
    );
    if (format === "human") for (const each of dead) await serve.line(started(each), "stderr", longMs);
    else await checkAsked(program, url, dead);
    assert.equal((await fetch(new URL("/readyz", url))).status, 200);
    const { code } = await serve.stop(longMs);
    assert.equal(code, 0, serve.stderr);
  }
  await assertGone(mark);
}

/** Its line of the start-up table. */
function started({ name, code, isListing }: Dead): RegExp {
  // One that is up, and does not answer for a second on a starved machine, has lost its connection.
  if (isListing) return new RegExp(`^ {2}(?:up|connecting|reconnecting(?=.* E4105 )) +${name} +stdio `);
  return new RegExp(
    `^ {2}(?:reconnecting|connecting|unavailable) +${name} +(?:stdio|http) +(?:${code} \\S|no answer yet)`,
  );
}

/** Its line of the log. */
function logged({ name, isListing }: Dead): RegExp {
  return new RegExp(`warn +backend ${name}: ${isListing ? "tools/list comes back to a cursor" : "is down: \\S"}`);
}

function loggedJson({ name, isListing }: Dead): RegExp {
  return new RegExp(
    `"level":"warn".*"backend":"${name}","message":"${isListing ? "tools/list comes back" : "is down: \\S"}`,
  );
}

/** Commands that ask the gateway. */
async function checkAsked(program: Program, url: string, dead: readonly Dead[]): Promise<void> {
  const run = (label: string, ...args: string[]): Promise<Ended> =>
    runCell(program, label, [...args, "--timeout", `${longMs}ms`]);
  const down = dead.filter(({ isListing }) => !isListing);
  const status = async (form: string): Promise<void> => {
    const ask = (): Promise<Ended> => run(`status -o ${form}`, "status", url, "-o", form);
    let ended = await ask();
    // On a starved machine the servers that are well may not answer for a second, and then it says that none is.
    for (let again = 0; again < 5 && ended.code === 1; again += 1) ended = await ask();
    const { code, stdout, told } = ended;
    assert.equal(code, 0, told);
    for (const each of form === "name" ? [] : down) {
      assert.ok(stdout.includes(each.name) && stdout.includes(each.code), `${each.name}: ${told}`);
    }
    if (form === "name") assert.equal(stdout.split("\n").includes("exits-at-once"), false, told);
  };
  const calls = down.map(({ name, code: cause }) => async (): Promise<void> => {
    const { code, stdout, stderr, told } = await run(`call ${name}`, "call", url, `${name}__echo`, "-o", "json");
    assert.deepEqual([code, stdout], [exitOf("E4107"), ""], told);
    assertError(stderr, "E4107", "json", told);
    assert.match(JSON.parse(stderr).message, new RegExp(`${cause} backend "${name}"`), told);
  });
  const wait = down.map(({ name, code: cause }) => async (): Promise<void> => {
    const args = ["wait", url, "--for", `backend=${name}`, "--timeout", "500ms", "-o", "json"];
    const { code, stderr, told } = await runCell(program, `wait ${name}`, args);
    assert.equal(code, 4, told);
    assert.match(JSON.parse(stderr).message, new RegExp(`${name} is \\w+ \\(${cause}|did not answer within`), told);
  });
  const work = [
    ...["table", "wide", "json", "ndjson", "yaml", "name"].map((form) => () => status(form)),
    () => checkLists(run, url, dead),
    // One of each is enough to prove the same code on another runtime.
    ...(runtime === "bun" ? [...calls, ...wait] : [...calls.slice(0, 1), ...wait.slice(0, 1)]),
  ];
  for (let at = 0; at < work.length; at += 6) await Promise.all(work.slice(at, at + 6).map((each) => each()));
}

async function checkLists(
  run: (label: string, ...args: string[]) => Promise<Ended>,
  url: string,
  dead: readonly Dead[],
): Promise<void> {
  const people = await run("list", "list", "tools", url);
  assert.equal(people.code, 0, people.told);
  assert.match(people.stdout, /^good__echo /m, people.told);
  for (const { name, code } of dead)
    assert.match(people.stderr, new RegExp(`^warning: backend ${name} is (?:missing|incomplete): ${code} `, "m"), name);
  const scripts = await run("list -o json", "list", "tools", url, "-o", "json");
  const [server]: readonly Document[] = JSON.parse(scripts.stdout).servers;
  const missing = new Map<string, string>(server.missing.map((each: Document) => [each.backend, each.code]));
  assert.deepEqual(missing, new Map(dead.map(({ name, code }) => [name, code])), scripts.told);
  const good = await run("call good", "call", url, "good__echo");
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, "hi\n", ""], good.told);
}
