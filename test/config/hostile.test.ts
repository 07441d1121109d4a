// Files that want to run something, reach a prototype, or take for ever.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createFolder, planIn, problemsOf } from "./kit.ts";

test("hostile: data files run nothing, whatever lies beside them", async () => {
  const evil = 'require("node:fs").writeFileSync("RAN", "")';
  const script = (folder: string): string =>
    `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(join(folder, "RAN"))}, ""); export default {};\n`;
  using folder = createFolder({
    "mcpctl.yaml": "extends: ./evil.ts\n$production: { naming: none }\nbackends: { a: { url: http://h/ } }\n",
    "x.json": '{ "backends": {}, "extends": ["./evil.ts", "gh:a/b", "http://127.0.0.1:1/x.ts"] }',
    "x.toml": 'extends = "./evil.ts"\n[backends]\n',
    ".mcpctlrc": "naming=none\n",
    ".configrc": "naming=none\n",
    ".env": "PORT=1\n",
    "package.json": '{ "mcpctl": { "naming": "none" }, "config": { "naming": "none" } }',
    "tag.yaml": `backends: !!js/function "function(){ ${evil} }"\n`,
  });
  using second = createFolder({ "mcpctl.config.ts": script(folder.path), "evil.ts": script(folder.path) });
  for (const file of ["mcpctl.yaml", "x.json", "x.toml"]) {
    const loaded = await folder.load([file]);
    assert.ok(loaded.kind === "invalid");
    assert.ok(
      loaded.problems.some(({ code, path }) => code === "E3101" && path[0] === "extends"),
      file,
    );
  }
  assert.equal((await folder.load(["tag.yaml"])).kind, "invalid");
  assert.equal((await second.load()).kind, "invalid");
  assert.ok(!existsSync(join(folder.path, "RAN")));
  // The same script runs once it is named, so the check above can fail.
  await second.load(["evil.ts"]);
  assert.ok(existsSync(join(folder.path, "RAN")));
});

test("hostile: a named script takes nothing else along", async () => {
  using folder = createFolder({
    "my.ts": 'export default { extends: undefined, backends: { a: { url: "http://h/" } } };\n',
    "bad.ts": 'export default { extends: "./my.ts", backends: {} };\n',
    ".configrc": "naming=none\n",
    ".env": "X=1\n",
    "package.json": '{ "config": { "naming": "none" } }',
    "loop.mjs": "const a = { backends: {} }; a.self = a; export default a;\n",
    "throws.mjs": "throw new Error('no luck');\n",
    "number.mjs": "export default 1;\n",
    "function.mjs": "export default { backends: { a: { command: () => 1 } } };\n",
  });
  assert.equal(planIn(await folder.load(["my.ts"])).naming, "prefix");
  const codes = async (file: string): Promise<string[]> => {
    const loaded = await folder.load([file]);
    return loaded.kind === "invalid" ? loaded.problems.map(({ code }) => code) : [];
  };
  assert.deepEqual(await codes("bad.ts"), ["E3101"]);
  assert.deepEqual(await codes("loop.mjs"), ["E3109"]);
  assert.deepEqual(await codes("throws.mjs"), ["E3119"]);
  assert.deepEqual(await codes("number.mjs"), ["E3119"]);
  assert.deepEqual(await codes("function.mjs"), ["E3102"]);
});

test("hostile: keys of a prototype are errors or plain data", async () => {
  const nested = '{ "backends": { "a": { "url": "http://h/", "headers": { "__proto__": "x" } } } }';
  for (const name of ["a.json", "a.yaml", "a.json5"]) {
    assert.deepEqual(
      (await problemsOf(name, nested)).map(({ code }) => code),
      ["E3118"],
      name,
    );
  }
  assert.deepEqual(
    (await problemsOf("a.toml", '[backends.__proto__]\nurl = "http://h/"\n')).map(({ code }) => code),
    ["E3118"],
  );
  for (const key of ["constructor", "toString", "hasOwnProperty", "prototype"]) {
    const [top] = await problemsOf("a.json", `{ "backends": {}, "${key}": {} }`);
    assert.equal(top?.code, "E3101", key);
    const [inner] = await problemsOf("a.json", `{ "backends": { "a": { "url": "http://h/", "${key}": 1 } } }`);
    assert.equal(inner?.code, "E3101", key);
  }
  using folder = createFolder({
    "mcpctl.json":
      '{ "backends": { "constructor": { "command": "x", "env": { "toString": "y", "constructor": "z" } } } }',
  });
  const [backend] = planIn(await folder.load()).backends;
  assert.equal(backend?.name, "constructor");
  assert.deepEqual(backend?.replicas[0]?.kind === "stdio" && Object.entries(backend.replicas[0].env), [
    ["toString", "y"],
    ["constructor", "z"],
  ]);
  assert.equal(Reflect.get({}, "url"), undefined);
  const [merge] = await problemsOf(
    "a.yaml",
    "backends:\n  a: &a { url: http://h/ }\n  b: { <<: *a, url: http://i/ }\n",
  );
  assert.deepEqual([merge?.code, merge?.line, merge?.column], ["E3101", 3, 8]);
});

test("hostile: bombs and towers end quickly, and as a problem", { timeout: 120_000 }, async () => {
  const lol = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (const [index, name] of "b c d e f g h i j".split(" ").entries()) {
    const before = "abcdefghij"[index];
    lol.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${before}`).join(", ")}]`);
  }
  const deep = 50_000;
  const cases: [string, string | Uint8Array, string][] = [
    ["bomb.yaml", lol.join("\n"), "E3109"],
    ["self.yaml", "a: &a [*a, *a, *a]", "E3109"],
    ["deep.yaml", "[".repeat(deep), "E3109"],
    ["deep-map.yaml", "{a: ".repeat(deep) + "}".repeat(deep), "E3109"],
    ["deep-dash.yaml", "- ".repeat(deep), "E3109"],
    ["deep.json", "[".repeat(deep) + "]".repeat(deep), "E3109"],
    ["deep.toml", `a = ${"[".repeat(deep)}${"]".repeat(deep)}`, "E3109"],
    ["dots.toml", `a${".a".repeat(deep)} = 1`, "E3109"],
    ["middle.json", `${"[".repeat(40)}${"]".repeat(40)}`, "E3109"],
    ["wide.json", `[${"1,".repeat(400_000)}1]`, "E3109"],
    ["large.yaml", `# ${"x".repeat(11 * 2 ** 20)}\nbackends: {}\n`, "E3108"],
    ["binary.yaml", Uint8Array.from({ length: 1000 }, (_, index) => index % 256), "E3108"],
    ["latin.json", Uint8Array.from([0x7b, 0x22, 0xe9, 0x22, 0x3a, 0x31, 0x7d]), "E3108"],
    ["utf16.json", Uint8Array.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]), "E3108"],
    [
      "keys.json",
      `{ "backends": {}, ${Array.from({ length: 20_000 }, (_, index) => `"k${index}": 1`).join(",")} }`,
      "E3101",
    ],
    ["again.json", `{ "backends": {}, ${Array.from({ length: 20_000 }, () => '"k": 1').join(",")} }`, "E3106"],
    [
      "names.json",
      `{ "mcpServers": { ${Array.from({ length: 20_000 }, (_, index) => `"_${index}": {}`).join(",")} } }`,
      "E3152",
    ],
    ["open.json", JSON.stringify({ backends: { a: { command: "${".repeat(300_000) } } }), "E3111"],
    [
      "nested.json",
      JSON.stringify({ backends: { a: { command: "${A:-".repeat(100_000) + "}".repeat(100_000) } } }),
      "E3111",
    ],
    ["nul.json", '{ "backends": { "a": { "command": "x\\u0000y" } } }', "E3103"],
  ];
  for (const [name, content, code] of cases) {
    const start = process.cpuUsage();
    const problems = await problemsOf(name, content);
    assert.equal(problems[0]?.code, code, name);
    assert.ok(problems.length <= 100, name);
    const { user, system } = process.cpuUsage(start);
    const took = (user + system) / 1000;
    assert.ok(took < 5000, `${name} took ${Math.round(took)} ms of the processor`);
  }
});

test("hostile: folders, devices and missing files are problems", async () => {
  using folder = createFolder({ "sub.yaml/x": "" });
  for (const file of ["sub.yaml", "gone.yaml", "/dev/zero", "/dev/null", "bad.xml"]) {
    const loaded = await folder.load([file]);
    assert.ok(loaded.kind === "invalid", file);
    assert.match(loaded.problems[0]?.code ?? "", /^E31(08|17)$/, file);
  }
});
