// The manifests against the schemas of Kubernetes, and what they say of the gateway against the gateway.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { Deployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ConfigMap, Secret, Service, ServiceAccount } from "kubernetes-models/v1";
import { parse, parseAllDocuments } from "yaml";
import { createFolder, mcpctl } from "../cli/kit.ts";
import { projectRoot } from "../kit/process.ts";
import { readmeRows } from "../kit/readme.ts";

/** A kind of Kubernetes, with its schema. */
interface Kind<T> {
  is(data: unknown): data is T;
  new (data: T): { validate(): void };
}

/** Throws where the schema says no. */
type Check = (data: unknown) => void;

function by<T>(Model: Kind<T>): Check {
  return (data) => {
    assert.ok(Model.is(data));
    new Model(data).validate();
  };
}

const checks: Readonly<Record<string, Check>> = {
  ConfigMap: by(ConfigMap),
  Deployment: by(Deployment),
  HorizontalPodAutoscaler: by(HorizontalPodAutoscaler),
  NetworkPolicy: by(NetworkPolicy),
  PodDisruptionBudget: by(PodDisruptionBudget),
  Secret: by(Secret),
  Service: by(Service),
  ServiceAccount: by(ServiceAccount),
  ServiceMonitor: by(ServiceMonitor),
};
const manifests: readonly unknown[] = ["config.yaml", "gateway.yaml", "monitoring.yaml"].flatMap((file) =>
  parseAllDocuments(readFileSync(join(projectRoot, "deploy/kubernetes", file), "utf8")).map((document): unknown =>
    document.toJS(),
  ),
);
const env = { MCPCTL_KEY_HASH: `sha256:${"0".repeat(64)}`, MCPCTL_SEAL_KEY: "c".repeat(44) };

const noPlainPrototype = Object.create({});

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** What stands at a path of keys. */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce((inner, key): unknown => (isObject(inner) ? Reflect.get(inner, key) : undefined), value);
}

function find(kind: string): unknown {
  return manifests.find((manifest) => at(manifest, "kind") === kind);
}

/** Data that notes which of its members are looked at: a schema looks at those that it knows. */
function noting(data: unknown, path: string, seen: Set<string>): unknown {
  if (!isObject(data)) return data;
  return new Proxy(data, {
    // Of no plain object: those would be copied, which looks at everything.
    getPrototypeOf: () => (Array.isArray(data) ? Array.prototype : noPlainPrototype),
    get: (target, key, receiver): unknown => {
      const here = `${path}/${String(key)}`;
      seen.add(here);
      return noting(Reflect.get(target, key, receiver), here, seen);
    },
  });
}

function pathsOf(data: unknown, path: string = ""): string[] {
  if (!isObject(data)) return [];
  return Object.entries(data).flatMap(([key, value]) => [`${path}/${key}`, ...pathsOf(value, `${path}/${key}`)]);
}

/** Throws what the schema has against it; gives the members that no schema knows. */
function strangersIn(manifest: unknown): string[] {
  const kind = String(at(manifest, "kind"));
  const seen = new Set<string>();
  const check = checks[kind];
  assert.ok(check, kind);
  check(noting(manifest, "", seen));
  return pathsOf(manifest).filter((path) => !seen.has(path));
}

test("kubernetes: each manifest fits its schema, and has nothing that the schema does not know", () => {
  assert.equal(manifests.length, 9);
  for (const manifest of manifests) assert.deepEqual(strangersIn(manifest), [], String(at(manifest, "kind")));
});

test("kubernetes: a wrong type and a misspelt member are found", () => {
  const broken: unknown = structuredClone(find("Deployment"));
  const spec = at(broken, "spec");
  assert.ok(isObject(spec));
  Reflect.set(spec, "replica", 2);
  assert.deepEqual(strangersIn(broken), ["/spec/replica"]);
  Reflect.set(spec, "revisionHistoryLimit", "three");
  assert.throws(() => strangersIn(broken), /revisionHistoryLimit must be integer/);
});

test("kubernetes: the configs are ones that the gateway accepts", () => {
  const texts = [
    String(at(find("ConfigMap"), "data", "mcpctl.yaml")),
    readFileSync(join(projectRoot, "deploy/mcpctl.yaml"), "utf8"),
  ];
  for (const text of texts) {
    using folder = createFolder({ "mcpctl.yaml": text });
    const { code, stdout, stderr } = mcpctl(["validate", "-c", "mcpctl.yaml"], folder.path, env);
    assert.equal(code, 0, stdout + stderr);
  }
});

test("kubernetes: names, ports, times and metrics of the manifests are those of the gateway", () => {
  const config: unknown = parse(String(at(find("ConfigMap"), "data", "mcpctl.yaml")));
  const container = at(find("Deployment"), "spec", "template", "spec", "containers", 0);
  const ports = new Map(
    [0, 1].map((index) => [at(container, "ports", index, "name"), at(container, "ports", index, "containerPort")]),
  );
  assert.equal(at(config, "metrics", "listen"), `0.0.0.0:${String(ports.get("metrics"))}`);
  const defaultPort = readmeRows("keys").find(([key]) => key === "`listen.port`")?.[1];
  assert.equal(defaultPort, `\`${String(ports.get("http"))}\``);

  const grace = Number(at(find("Deployment"), "spec", "template", "spec", "terminationGracePeriodSeconds"));
  const drain = Number.parseInt(String(at(config, "timeouts", "drain")), 10);
  const pause = Number(at(container, "lifecycle", "preStop", "sleep", "seconds"));
  assert.ok(grace > drain + pause, `${grace} s for ${pause} s of silence and a drain of ${drain} s`);

  const metric = at(find("HorizontalPodAutoscaler"), "spec", "metrics", 0, "pods", "metric", "name");
  assert.ok(
    readmeRows("metrics").some(([name]) => name === `\`${String(metric)}\``),
    String(metric),
  );
  assert.equal(
    at(find("ServiceMonitor"), "spec", "endpoints", 0, "port"),
    at(find("Service"), "spec", "ports", 1, "name"),
  );
  const secrets = Object.keys(Object(at(find("Secret"), "stringData")));
  assert.deepEqual(secrets.toSorted(), Object.keys(env).toSorted());
});
