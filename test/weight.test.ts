// Keeps the start of `serve` light: what it loads before its first answer is bounded, and no feature is among it unasked.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { readSource } from "./kit/source.ts";

const root = resolve(import.meta.dirname, "..");

/** What `mcpctl serve` loads whatever its config says. */
const entries = ["cli/main.ts", "cli/serve.ts"];

/** Source of all that, comments included. A feature that comes in by `import()` adds a few hundred bytes. */
const maxBytes = 1_022_000;

/** Whole folders, or files, that are loaded where a config, a client or a backend asks for them, by `import()`. */
const onDemand = [
  "cli/reload.ts",
  "lib/audit",
  "lib/arrivals.ts",
  "lib/bench.ts",
  "lib/busy.ts",
  "lib/chaos.ts",
  "lib/demo.ts",
  "lib/ops/demo-plan.ts",
  "lib/toolbox.ts",
  "lib/certificates.ts",
  "lib/clustering.ts",
  "lib/crew.ts",
  "lib/door.ts",
  "lib/worker-metrics.ts",
  "lib/cluster/",
  "lib/workers.ts",
  "lib/lock.ts",
  "lib/logins.ts",
  "lib/page.ts",
  "lib/reload.ts",
  "lib/sign-in.ts",
  "lib/backend/authorization.ts",
  "lib/backend/checkup.ts",
  "lib/backend/grant-credential.ts",
  "lib/backend/grants.ts",
  "lib/backend/logins.ts",
  "lib/backend/modern.ts",
  "lib/backend/modern-calls.ts",
  "lib/backend/modern-listen.ts",
  "lib/backend/oauth-credential.ts",
  "lib/backend/oauth-flow.ts",
  "lib/backend/peer-fetch.ts",
  "lib/backend/sse.ts",
  "lib/backend/stdio.ts",
  "lib/backend/tunnel.ts",
  "lib/backend/vault.ts",
  "lib/config/clients.ts",
  "lib/config/compile.ts",
  "lib/config/fix.ts",
  "lib/config/import.ts",
  "lib/config/json.ts",
  "lib/config/lint.ts",
  "lib/config/module.ts",
  "lib/config/schema.ts",
  "lib/config/toml.ts",
  "lib/config/yaml.ts",
  "lib/core/principal-text.ts",
  "lib/core/tls-server.ts",
  "lib/front/authority.ts",
  "lib/front/footing.ts",
  "lib/front/gate.ts",
  "lib/front/introspection.ts",
  "lib/front/modern.ts",
  "lib/front/modern-stdio.ts",
  "lib/front/oauth-html.ts",
  "lib/front/oauth-page.ts",
  "lib/front/page.ts",
  "lib/front/page-html.ts",
  "lib/front/page-script.ts",
  "lib/front/page-session.ts",
  "lib/front/resources.ts",
  "lib/front/sse-client.ts",
  "lib/front/sse-front.ts",
  "lib/front/relay.ts",
  "lib/front/stdio.ts",
  "lib/front/tenure.ts",
  "lib/front/tokens.ts",
  "lib/merge/changes.ts",
  "lib/merge/filter.ts",
  "lib/merge/grants.ts",
  "lib/merge/lock.ts",
  "lib/merge/policy.ts",
  "lib/merge/rules.ts",
  "lib/merge/search.ts",
  "lib/figures.ts",
  "lib/metrics.ts",
  "lib/metrics-backends.ts",
  "lib/observing.ts",
  "lib/observe/",
  "lib/ops/bench",
  "lib/ops/demo.ts",
  "lib/ops/faults.ts",
  "lib/ops/faults-file.ts",
  "lib/ops/health.ts",
  "lib/ops/lock-file.ts",
  "lib/ops/probe.ts",
  "lib/ops/why.ts",
  "lib/resilience/quota.ts",
  "lib/resilience/rates.ts",
  "lib/route/admission.ts",
  "lib/route/consent.ts",
  "lib/route/finder.ts",
  "lib/route/free-calls.ts",
  "lib/route/held.ts",
  "lib/route/listeners.ts",
  "lib/route/modern-call.ts",
  "lib/route/modern-router.ts",
  "lib/route/repeated.ts",
  "lib/route/shared-owners.ts",
  "lib/route/tasks.ts",
];

interface Loaded {
  readonly bytes: number;
  /** Who loads it first. */
  readonly by: string;
}

/** Statements at the beginning of a line: `import()` is none, and what is imported as a type alone is not loaded. */
const statement = /^(?:import|export)\s(?!type\b)(?:[^;"']*?\sfrom\s*)?["']([^"']*)["']/gm;

/** Whatever a file loads with its `import` and `export … from` statements. */
function loadsOf(path: string, text: string): readonly string[] {
  const { spoken } = readSource(path, text);
  return [...spoken.matchAll(statement)]
    .filter(([all]) => !/\{(?:\s*type\s[^,}]*,?)*\s*\}/.test(all))
    .map(([, specifier = ""]) => specifier);
}

function walk(paths: readonly string[]): { files: Map<string, Loaded>; packages: Map<string, string> } {
  const files = new Map<string, Loaded>();
  const packages = new Map<string, string>();
  const visit = (path: string, by: string): void => {
    if (files.has(path)) return;
    const text = readFileSync(join(root, path), "utf8");
    files.set(path, { bytes: text.length, by });
    if (!path.endsWith(".ts")) return;
    for (const specifier of loadsOf(path, text)) {
      if (specifier.startsWith(".")) visit(join(dirname(path), specifier).replaceAll("\\", "/"), path);
      else if (!specifier.startsWith("node:")) packages.set(specifier, path);
    }
  };
  for (const path of paths) visit(path, "the command line");
  return { files, packages };
}

test("weight: statements that load are told from those that do not", () => {
  const text = [
    'import type { A } from "./type.ts";',
    'import { type B, type C } from "./types.ts";',
    'import { type D, e } from "./value.ts";',
    "import {",
    "  f,",
    "  type G,",
    '} from "./lines.ts";',
    'export { h } from "./export.ts";',
    'export type { I } from "./exported-type.ts";',
    'import "./effect.ts";',
    'import j from "./default.ts";',
    'import * as k from "./namespace.ts";',
    'const l = await import("./lazy.ts");',
    'export const m: string = "./text.ts";',
  ].join("\n");
  const expected = ["value", "lines", "export", "effect", "default", "namespace"].map((name) => `./${name}.ts`);
  assert.deepEqual(loadsOf("lib/a.ts", text), expected);
});

test("weight: the files that are loaded on demand exist", () => {
  const all = ["lib", "cli"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`),
  );
  for (const place of onDemand)
    assert.ok(
      all.some((path) => path.replaceAll("\\", "/").startsWith(place)),
      place,
    );
});

test("weight: serve loads no feature that nothing asks for", () => {
  const { files, packages } = walk(entries);
  assert.ok(files.has("lib/gateway.ts"));
  const unasked = [...files].flatMap(([path, { by }]) =>
    onDemand.some((place) => path.startsWith(place)) ? [`${path}, by ${by}`] : [],
  );
  assert.deepEqual(unasked, [], "load these by import() where they are asked for, as lib/features.ts does");
  // A parser, a schema or an SDK costs more than all of this program.
  assert.deepEqual([...packages], []);
});

test(`weight: serve loads at most ${maxBytes} bytes of source`, () => {
  const { files } = walk(entries);
  const bytes = [...files.values()].reduce((sum, loaded) => sum + loaded.bytes, 0);
  const largest = [...files].toSorted(([, a], [, b]) => b.bytes - a.bytes).slice(0, 10);
  const named = largest.map(([path, loaded]) => `${path} ${loaded.bytes}`).join(", ");
  assert.ok(bytes <= maxBytes, `${bytes} bytes in ${files.size} files, the largest of them ${named}`);
});
