// What the binary is made of, as a CycloneDX document: this program, the runtime inside it, and the packages of the lock file.
// Usage: bun deploy/sbom.ts [--out file]

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  type Dependency,
  type Lock,
  type Manifest,
  productionOf,
  readLock,
  readManifest,
  resolveFrom,
} from "./dependencies.ts";

export const sbomName = "mcpctl.cdx.json";

/** The same for the same lock file: no time, no machine, no chance. */
export function makeSbom(manifest: Manifest, lock: Lock): object {
  const all = productionOf(lock);
  const { name, version, license } = manifest;
  const own = purlOf(name, version);
  const runtime = manifest.devDependencies["bun"] ?? "";
  const components = [runtimeOf(runtime), ...all.map(componentOf)];
  const direct = Object.keys(manifest.dependencies).flatMap((each) => resolveFrom(all, "", each) ?? []);
  const dependencies = [
    { ref: own, dependsOn: [refOfRuntime(runtime), ...direct.map(refOf)].toSorted() },
    { ref: refOfRuntime(runtime) },
    ...all.map((each) => ({
      ref: refOf(each),
      dependsOn: each.needs
        .flatMap((need) => resolveFrom(all, each.path, need) ?? [])
        .map(refOf)
        .toSorted(),
    })),
  ];
  const body = {
    metadata: {
      lifecycles: [{ phase: "build" }],
      component: {
        type: "application",
        "bom-ref": own,
        name,
        version,
        purl: own,
        licenses: [{ license: { id: license } }],
      },
    },
    components,
    dependencies,
  };
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(body))}`,
    version: 1,
    ...body,
  };
}

function componentOf(dependency: Dependency): object {
  const { name, version, integrity, license, resolved } = dependency;
  const [group, plain] = name.startsWith("@") ? name.split("/") : [undefined, name];
  return {
    type: "library",
    "bom-ref": refOf(dependency),
    ...(group === undefined ? {} : { group }),
    name: plain ?? name,
    version,
    scope: "required",
    hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex") }],
    ...(license === ""
      ? {}
      : { licenses: [isPlain(license) ? { license: { id: license } } : { expression: license }] }),
    purl: purlOf(name, version),
    ...(resolved === "" ? {} : { externalReferences: [{ type: "distribution", url: resolved }] }),
  };
}

/** It is a part of the binary, and of no other package. */
function runtimeOf(version: string): object {
  return {
    type: "platform",
    "bom-ref": refOfRuntime(version),
    name: "bun",
    version,
    scope: "required",
    licenses: [{ license: { id: "MIT" } }],
    purl: `pkg:github/oven-sh/bun@bun-v${version}`,
  };
}

/** The same package may be installed twice. */
function refOf({ path, name, version }: Dependency): string {
  return `${purlOf(name, version)}#${path}`;
}

function refOfRuntime(version: string): string {
  return `pkg:github/oven-sh/bun@bun-v${version}`;
}

function purlOf(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

function isPlain(license: string): boolean {
  return /^[A-Za-z0-9.+-]+$/.test(license);
}

/** RFC 9562, version 8: a name for these bytes. */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const variant = (8 + (Number.parseInt(hex[16] ?? "0", 16) % 4)).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join("-");
}

export function writeSbom(file: string): void {
  writeFileSync(file, `${JSON.stringify(makeSbom(readManifest(), readLock()), undefined, 2)}\n`);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { out: { type: "string", default: sbomName } } });
  writeSbom(values.out);
  console.log(values.out);
}
