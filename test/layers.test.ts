// Keeps the folders of the project apart: each rule holds for the tree, and each rule can fail.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { maxLines, type Rule, rules } from "./kit/layers.ts";
import { readSource, type Source } from "./kit/source.ts";

const root = resolve(import.meta.dirname, "..");

const sources: readonly Source[] = ["lib", "cli", "deploy", "test"].flatMap((folder) =>
  (existsSync(join(root, folder)) ? readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }) : [])
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `${folder}/${file.replaceAll("\\", "/")}`)
    .map((path) => readSource(path, readFileSync(join(root, path), "utf8"))),
);

type Files = Readonly<Record<string, string>>;

/** Runs the rule over the tree, over samples that must pass, and over samples of which each must fail by itself. */
function check(name: string, rule: Rule, samples: { readonly good: Files; readonly bad: readonly Files[] }): void {
  const read = (files: Files): Source[] => Object.entries(files).map(([path, text]) => readSource(path, text));
  test(`layers: ${name}`, () => {
    assert.deepEqual(rule(read(samples.good)), []);
    for (const files of samples.bad) assert.equal(rule(read(files)).length, 1, JSON.stringify(files));
    assert.deepEqual(rule(sources), []);
  });
}

test("layers: the tree is read", () => {
  for (const path of ["lib/core/errors.ts", "lib/core/scope.ts", "test/layers.test.ts"]) {
    assert.ok(
      sources.some((source) => source.path === path),
      path,
    );
  }
});

test("layers: a source is read without its comments and texts", () => {
  const text = [
    "#!/usr/bin/env bun",
    '// import "./a.ts"',
    'import type { B } from "./b.ts"; /* from "./c.ts" */',
    "import {",
    "  d,",
    '} from "./d.ts";',
    "export { e } from './e.ts';",
    'const url = "https://console/" + `console ${console.log(`deep ${b}`)} console`;',
    'const half = a / 2 / c, lazy = await import(`./f.ts`), pattern = /[/"]console/;',
    'import "./g.ts";',
    "const text = 'import \"./h.ts\"';",
  ].join("\n");
  const source = readSource("lib/x.ts", text);
  assert.deepEqual(
    source.imports.map(({ specifier, line }) => `${line} ${specifier}`),
    ["3 ./b.ts", "6 ./d.ts", "7 ./e.ts", "9 ./f.ts", "10 ./g.ts"],
  );
  assert.equal(source.code.match(/console/g)?.length, 1);
  assert.equal(source.code.length, text.length);
  assert.ok(!source.spoken.includes("./c.ts") && source.spoken.includes("./h.ts"));
});

check("a folder imports lower ranks only", rules.rankOrder, {
  good: {
    "lib/front/a.ts": 'import { b } from "../core/b.ts"; import pkg from "../../package.json" with { type: "json" };',
    "lib/route/sub/c.ts": 'import "../d.ts"; import "../../backend/e.ts"; import "zod";',
  },
  bad: [
    { "lib/core/a.ts": 'import type { B } from "../config/b.ts";' },
    { "lib/backend/a.ts": 'const b = await import("../route/b.ts");' },
    { "lib/front/a.ts": 'export { b } from "../index.ts";' },
    { "lib/gateway.ts": 'import "../cli/output.ts";' },
    { "lib/gateway.ts": 'import "../test/kit/process.ts";' },
    { "lib/extra/a.ts": 'import "../core/b.ts";' },
  ],
});

check("neighbours of one rank do not know each other", rules.neighbours, {
  good: {
    "lib/merge/a.ts": 'import "./b.ts"; import "../protocol/c.ts";',
    "lib/index.ts": 'export { g } from "./gateway.ts";',
  },
  bad: [
    { "lib/merge/a.ts": 'import type { B } from "../backend/b.ts";' },
    { "lib/config/a.ts": 'import { b } from "../protocol/b.ts";' },
  ],
});

check("there is no cycle between files", rules.cycles, {
  good: { "lib/a.ts": 'import "./b.ts"; import "./c.ts";', "lib/b.ts": 'import "./c.ts";', "lib/c.ts": "" },
  bad: [
    { "lib/a.ts": 'import "./a.ts";' },
    {
      "lib/a.ts": 'import "./b.ts";',
      "lib/b.ts": 'import type { C } from "./core/c.ts";',
      "lib/core/c.ts": 'import("../a.ts");',
    },
  ],
});

check("cli imports only the public names of lib, and its own folder", rules.cliImports, {
  good: { "cli/a.ts": 'import "./output.ts"; import "../lib/index.ts"; import "citty"; import "../package.json";' },
  bad: [
    { "cli/a.ts": 'import type { E } from "../lib/core/errors.ts";' },
    { "cli/a.ts": 'import "../lib/gateway.ts";' },
  ],
});

check("only the composition root knows lib/observe", rules.observeImports, {
  good: { "lib/gateway.ts": 'import "./observe/metrics.ts";', "lib/observe/a.ts": 'import "./b.ts";' },
  bad: [{ "lib/route/a.ts": 'import type { M } from "../observe/metrics.ts";' }],
});

check("protocol revisions are named in lib/protocol only", rules.protocolDates, {
  good: { "lib/protocol/a.ts": 'const r = "2025-11-25";', "lib/front/a.ts": "// 2025-11-25, Transports\nconst b = 1;" },
  bad: [{ "lib/front/a.ts": 'const r = "2025-11-25";' }, { "cli/a.ts": "const r = `${x} 2026-07-28`;" }],
});

check("the runtime is named in its few files only", rules.runtimeNames, {
  good: {
    "lib/core/tcp.ts": "Bun.listen({});",
    "lib/sink.ts": "Bun.stdout.writer();",
    "cli/a.ts": '// Bun\nconst b = "runs on Bun";',
  },
  bad: [
    { "lib/backend/http.ts": "Bun.connect({});" },
    { "cli/a.ts": "const d = `${Deno.pid}`;" },
    { "cli/a.ts": 'import { x } from "bun:ffi";' },
  ],
});

check("console is used in cli/output.ts only", rules.console, {
  good: { "cli/output.ts": "console.log(1);", "cli/a.ts": 'import { consola } from "consola"; const c = "console";' },
  bad: [{ "cli/a.ts": "console.log(1);" }, { "lib/a.ts": "globalThis.console.error(1);" }],
});

check("timers are set in lib/core/scope.ts only", rules.timers, {
  good: { "lib/core/scope.ts": "setTimeout(a, 1);", "lib/route/a.ts": "queueMicrotask(a); clearTimeout(b);" },
  bad: [
    { "lib/route/a.ts": "setTimeout(a, 1);" },
    { "cli/a.ts": "const t = setInterval;" },
    { "lib/a.ts": "setImmediate(a);" },
    { "lib/a.ts": 'import { scheduler } from "node:timers/promises";' },
  ],
});

check(`no file is longer than ${maxLines} lines`, rules.fileLength, {
  good: { "lib/a.ts": "a;\n".repeat(maxLines), "test/a.ts": "a;" },
  bad: [{ "lib/a.ts": "a;\n".repeat(maxLines + 1) }, { "test/a.test.ts": `${"a;\n".repeat(maxLines)}b;` }],
});

check("the first line says what the file is for", rules.firstLine, {
  good: {
    "lib/a.ts": "// What it is.\n",
    "lib/b.ts": "/** What it is. */",
    "cli/main.ts": "#!/usr/bin/env bun\n// What it is.\n",
  },
  bad: [
    { "lib/a.ts": 'import "./b.ts";' },
    { "lib/a.ts": "\n// Late." },
    { "cli/main.ts": "#!/usr/bin/env bun\nrun();" },
    { "lib/a.ts": "//\n" },
  ],
});

check("default exports are for commands", rules.defaultExports, {
  good: { "cli/serve.ts": "export default command;", "lib/a.ts": "export const a = 1;" },
  bad: [{ "lib/a.ts": "export default 1;" }, { "lib/a.ts": "export { a as default };" }],
});

check("public names are listed, not export *", rules.barrels, {
  good: { "lib/index.ts": 'export { a, type B } from "./a.ts";' },
  bad: [{ "lib/index.ts": 'export * from "./a.ts";' }, { "lib/a.ts": 'export type * as b from "./b.ts";' }],
});

check("lib has neither any nor non-null assertions", rules.escapes, {
  good: { "lib/a.ts": "const many = a !== b && !c; const p = Promise.any(q); // any!\nconst o = { any: 1 };" },
  bad: [
    { "lib/a.ts": "const a: any = 1;" },
    { "lib/a.ts": "const a = b as any;" },
    { "lib/a.ts": "const a: Map<string, any> = b;" },
    { "lib/a.ts": "const a: any[] = b;" },
    { "lib/a.ts": "const a = b!.c;" },
    { "lib/a.ts": "const a = b()!;" },
    { "lib/a.ts": "class A { b!: string }" },
  ],
});
