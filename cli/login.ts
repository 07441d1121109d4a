// `mcpctl auth login`, `logout` and `status`: logins of backends that want somebody to sign in.

import process from "node:process";
import { type BackendPlan, GatewayError, loadPlan, type Plan } from "../lib/index.ts";
import { loadLogins, type LoginPlace, type LoginStatus, seconds } from "../lib/toolbox.ts";
import { document } from "./answer.ts";
import { type Flags, listFlag, numberFlag, textFlag, wordFlag } from "./command.ts";
import { timeoutOf } from "./common.ts";
import { table } from "./columns.ts";
import { answer, say } from "./output.ts";
import { limits } from "./patience.ts";
import { sayProblems } from "./problems.ts";
import { askTrust } from "./trust.ts";

const loginMs = 600_000;

interface Found {
  readonly plan: Plan;
  readonly backends: readonly BackendPlan[];
}

export async function login([name, ...more]: readonly string[], flags: Flags): Promise<number> {
  if (name === undefined || more.length > 0) throw new GatewayError("usage", "write it like: mcpctl auth login NAME");
  const { loginFrom } = await loadLogins();
  const place = await placeOf(await load(flags), name, flags);
  const timeoutMs = timeoutOf(flags, loginMs);
  using patience = limits(timeoutMs);
  let isAsked = false;
  patience.scope.limit(timeoutMs, () => {
    const text = isAsked ? "nobody signed in" : "the server, or its authorization server, did not answer";
    return new GatewayError(isAsked ? "loginFailed" : "connectTimeout", `${text} within ${seconds(timeoutMs)}`, {
      backend: name,
    });
  });
  using lines = readLines();
  const done = await loginFrom(
    place,
    {
      port: numberFlag(flags, "port", 0) ?? 0,
      shows: (url, issuer) => {
        isAsked = true;
        say(`open this address in a browser, and sign in at ${issuer}:`);
        say("");
        say(`  ${url}`);
        say("");
        say(
          "a browser on this machine comes back by itself; from another one, paste the address here at which it ends:",
        );
      },
      refuses: say,
      pasted: lines,
    },
    patience.scope,
  );
  if (isJson(flags)) await answer(JSON.stringify(document("Login", { backend: name, ...done }), undefined, 2));
  else say(`signed in to ${name}${whose(done)}; ${lasting(done)}`);
  return 0;
}

/** Exits with 0 where everybody who has to has signed in, and 1 where somebody has not. */
export async function status(names: readonly string[], flags: Flags): Promise<number> {
  const { describeLogin, loginPlaceOf, readPlace } = await loadLogins();
  const found = await load(flags);
  const chosen = names.length > 0 ? names : found.backends.map(({ name }) => name);
  const all: { readonly name: string; readonly place: LoginPlace }[] = [];
  for (const name of chosen) {
    const plan = found.backends.find((each) => each.name === name);
    const known = plan && loginPlaceOf(plan, whoOf(found.plan, flags) ?? "anonymous");
    // One that is named must be one that there is.
    const place = names.length > 0 ? await placeOf(found, name, flags) : known;
    if (place) all.push({ name, place });
  }
  const rows = all.map(({ name, place }) => ({
    backend: name,
    ...describeLogin(readPlace(place), place.site.login.who),
  }));
  if (isJson(flags)) await answer(JSON.stringify(document("Logins", { logins: rows }), undefined, 2));
  else if (rows.length === 0) say("no backend of this config wants anybody to sign in");
  else await answer(tableOf(rows).join("\n"));
  return rows.every(({ state }) => state === "active") ? 0 : 1;
}

export async function logout([name, ...more]: readonly string[], flags: Flags): Promise<number> {
  if (name === undefined || more.length > 0) throw new GatewayError("usage", "write it like: mcpctl auth logout NAME");
  const { endLogin } = await loadLogins();
  const ending = await endLogin(await placeOf(await load(flags), name, flags));
  const said = {
    nothing: `nobody is signed in to ${name}`,
    revoked: `signed out of ${name}`,
    forgotten: `signed out of ${name}; its authorization server could not be told, so what it gave stays good until it ends`,
  };
  say(said[ending]);
  return ending === "nothing" ? 1 : 0;
}

async function load(flags: Flags): Promise<Found> {
  const files = listFlag(flags, "config");
  const loaded = await loadPlan({ cwd: process.cwd(), files, env: process.env });
  sayProblems(loaded);
  if (loaded.kind !== "ok") throw new GatewayError("configInvalid", "the config cannot be used");
  const { plan } = loaded;
  const { backends } = plan;
  if (files.length === 0)
    await askTrust(
      loaded.files,
      backends.map((each) => ({ name: each.name, plan: each })),
      listFlag(flags, "trust"),
    );
  return { plan, backends };
}

async function placeOf({ plan, backends }: Found, name: string, flags: Flags): Promise<LoginPlace> {
  const { loginPlaceOf } = await loadLogins();
  const backend = backends.find((each) => each.name === name);
  if (!backend) throw new GatewayError("unknownTarget", `the config has no backend ${JSON.stringify(name)}`);
  const who = whoOf(plan, flags);
  const place = loginPlaceOf(backend, who ?? "");
  if (!place)
    throw new GatewayError(
      "usage",
      `nobody signs in to ${name}; for a server that wants it, add "auth: oauth" to the backend`,
    );
  if (who !== undefined || place.site.plan.shared) return place;
  throw new GatewayError(
    "usage",
    `each principal signs in to ${name}: name one with --principal, like key:ci; or set "shared: true" in its auth`,
  );
}

/** Whose login is meant; undefined where it must be said. */
function whoOf(plan: Plan, flags: Flags): string | undefined {
  return textFlag(flags, "principal") ?? (plan.auth ? undefined : "anonymous");
}

function isJson(flags: Flags): boolean {
  return wordFlag(flags, "output", ["yaml", "json"]) === "json";
}

function whose({ who }: LoginStatus): string {
  return who === "anonymous" || who === "shared" ? "" : ` for ${who}`;
}

function lasting({ expiresAt, renewable }: LoginStatus): string {
  if (renewable) return "the token is renewed by itself";
  return expiresAt === undefined ? "nobody says when the token ends" : `the token is good until ${expiresAt}`;
}

const words = { none: "not signed in", active: "signed in", expired: "expired", ended: "ended" } as const;

function tableOf(rows: readonly (LoginStatus & { readonly backend: string })[]): readonly string[] {
  const titles = ["BACKEND", "LOGIN", "OF", "UNTIL", "RIGHTS"];
  return table(
    titles.map((title) => ({ title, flexible: title === "RIGHTS" })),
    rows.map(({ backend, state, who, expiresAt, renewable, scopes }) => [
      backend,
      words[state],
      who,
      renewable ? "renewed by itself" : (expiresAt ?? ""),
      scopes.join(" "),
    ]),
  );
}

interface Lines extends AsyncIterable<string>, Disposable {}

/** What is typed or piped in. */
function readLines(): Lines {
  const input = process.stdin;
  const opened = import("node:readline").then(({ createInterface }) => {
    const lines = createInterface({ input, terminal: false });
    lines.on("error", () => {});
    return lines;
  });
  return {
    async *[Symbol.asyncIterator]() {
      yield* await opened;
    },
    [Symbol.dispose]: () => {
      void opened.then((lines) => lines.close());
      input.pause();
    },
  };
}
