// The production dependencies: pinned, not known to be vulnerable, and named in an SBOM that is valid CycloneDX.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { askRegistry, findUnpinned, findVulnerable, readAdvisories } from "../../deploy/audit.ts";
import { type Lock, type Manifest, productionOf, readLock, readManifest, root } from "../../deploy/dependencies.ts";
import { makeSbom } from "../../deploy/sbom.ts";
import { isWithin } from "../../deploy/versions.ts";

const [manifest, lock] = [readManifest(), readLock()];
const all = productionOf(lock);

test("audit: every production dependency is pinned, in both lock files", () => {
  assert.ok(all.length > 20);
  assert.deepEqual(findUnpinned(manifest, lock), []);
  const bun = readFileSync(join(root, "bun.lock"), "utf8");
  for (const { name, version } of all)
    assert.ok(bun.includes(`"${name}@${version}"`), `bun.lock has no ${name}@${version}`);
});

test("audit: no production dependency is known to be vulnerable", () => {
  const { advisories, asOf } = readAdvisories();
  assert.ok(advisories.length > 10 && !Number.isNaN(Date.parse(asOf)));
  for (const { name, id, vulnerable } of advisories) {
    assert.match(id, /^GHSA(?:-[0-9a-z]{4}){3}$/);
    assert.match(vulnerable, /<\d/, name);
  }
  assert.deepEqual(findVulnerable(all, advisories), []);
});

/** The lock file as it would be with another version, or without something. */
function changed(name: string, change: object): Lock {
  const path = `node_modules/${name}`;
  assert.ok(lock.packages[path], name);
  return { packages: { ...lock.packages, [path]: { ...lock.packages[path], ...change } } };
}

test("audit: a version with an advisory fails, wherever it is installed", () => {
  const { advisories } = readAdvisories();
  for (const [name, version] of [
    ["ajv", "8.17.1"],
    ["defu", "6.1.4"],
    ["fast-uri", "3.1.5"],
    ["yaml", "2.8.2"],
  ] as const) {
    const found = findVulnerable(productionOf(changed(name, { version })), advisories);
    assert.ok(
      found.length > 0 && found.every((each) => each.includes(`${name} ${version}: `)),
      `${name}: ${found.join()}`,
    );
  }
  const nested = { packages: { "node_modules/a/node_modules/jose": { version: "4.15.4" } } };
  assert.match(findVulnerable(productionOf(nested), advisories).join(), /GHSA-hhhv-q57g-882q/);
  const forTests = { packages: { "node_modules/jose": { version: "4.15.4", dev: true } } };
  assert.deepEqual(findVulnerable(productionOf(forTests), advisories), []);
});

test("audit: what is not pinned fails", () => {
  const wanting = (version: string): Manifest => ({
    ...manifest,
    dependencies: { ...manifest.dependencies, ajv: version },
  });
  for (const range of [
    "^8.20.0",
    "~8.20.0",
    "8",
    "latest",
    "*",
    "8.20.x",
    ">=8.20.0",
    "git+https://example.com/ajv.git",
    "8.19.0",
  ])
    assert.equal(findUnpinned(wanting(range), lock).length, 1, range);
  for (const change of [{ integrity: "" }, { integrity: "sha1-abc" }, { resolved: "https://example.com/ajv.tgz" }])
    assert.equal(findUnpinned(manifest, changed("ajv", change)).length, 1, JSON.stringify(change));
});

test("audit: what the registry says counts, and a registry that does not answer is told from one that knows nothing", async () => {
  const asked: unknown[] = [];
  let status = 200;
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      asked.push(JSON.parse(text));
      const advisory = {
        url: "https://github.com/advisories/GHSA-x",
        severity: "high",
        title: "t",
        vulnerable_versions: "<9.0.0",
      };
      response.writeHead(status).end(JSON.stringify({ ajv: [advisory] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const base = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  try {
    const advisories = await askRegistry(all, base);
    assert.match(findVulnerable(all, advisories ?? []).join(), /ajv 8\.\d+\.\d+: t \(high/);
    assert.deepEqual(Object(asked[0])["jose"], [all.find(({ name }) => name === "jose")?.version]);
    status = 405;
    assert.equal(await askRegistry(all, base), undefined);
  } finally {
    server.close();
  }
  assert.equal(await askRegistry(all, "http://127.0.0.1:1"), undefined);
});

test("versions: ranges mean what npm says, and what cannot be read is no reason to be calm", () => {
  const rows: readonly (readonly [version: string, range: string, is: boolean])[] = [
    ["1.2.3", "<1.2.4", true],
    ["1.2.3", "<1.2.3", false],
    ["1.2.3", "<=1.2.3", true],
    ["1.10.0", "<1.9.0", false],
    ["2.0.0", ">=1.0.0 <2.0.0", false],
    ["2.0.0-rc.1", "<2.0.0", true],
    ["2.0.0-rc.10", ">2.0.0-rc.9", true],
    ["2.0.0", ">= 1.0.0 , < 3.0.0", true],
    ["5.0.0", "<1.0.0 || =5.0.0", true],
    ["5.0.0", "<1.0.0 || 5.0.1", false],
    ["5.0.0", "*", true],
    ["5.0.0", "no idea", true],
  ];
  for (const [version, range, is] of rows) assert.equal(isWithin(version, range), is, `${version} in ${range}`);
});

test("sbom: names every production package, the runtime and who needs whom, and is the same each time", () => {
  const sbom = makeSbom(manifest, lock);
  assert.deepEqual(sbom, makeSbom(readManifest(), readLock()));
  const text = JSON.stringify(sbom);
  for (const { name, version } of all)
    assert.ok(text.includes(`"purl":"pkg:npm/${name.replace("@", "%40")}@${version}"`), name);
  assert.ok(text.includes('"name":"bun"') && !text.includes("pkg:npm/oxlint"));
  const { components, dependencies } = Object(sbom);
  const refs = new Set([
    `pkg:npm/mcpctl@${manifest.version}`,
    ...components.map((each: object) => Object(each)["bom-ref"]),
  ]);
  assert.equal(refs.size, components.length + 1);
  for (const { ref, dependsOn = [] } of dependencies)
    for (const each of [ref, ...dependsOn]) assert.ok(refs.has(each), each);
  const twice = dependencies.find(({ ref }: { ref: string }) => ref.startsWith("pkg:npm/pkg-types@"));
  assert.ok(twice.dependsOn.some((each: string) => each.endsWith("#node_modules/pkg-types/node_modules/confbox")));
});

test("sbom: is valid CycloneDX 1.6", async () => {
  const { Ajv } = await import("ajv");
  const folder = join(root, "node_modules/@cyclonedx/cyclonedx-library/res/schema");
  const schema = (name: string): object =>
    JSON.parse(readFileSync(join(folder, `${name}.SNAPSHOT.schema.json`), "utf8"));
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(schema("spdx"), "http://cyclonedx.org/schema/spdx.SNAPSHOT.schema.json");
  ajv.addSchema(schema("jsf-0.82"), "http://cyclonedx.org/schema/jsf-0.82.SNAPSHOT.schema.json");
  const validate = ajv.compile(schema("bom-1.6"));
  const sbom = makeSbom(manifest, lock);
  assert.ok(validate(sbom), JSON.stringify(validate.errors));
  assert.ok(!validate({ ...sbom, components: [{ type: "nonsense" }] }));
});
