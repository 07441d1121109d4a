// A request that claims to be modern is read, or refused with the code and the data that the specification names.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Envelope } from "../../lib/core/envelope.ts";
import type { GatewayError } from "../../lib/core/errors.ts";
import { modernStatus } from "../../lib/protocol/modern-codes.ts";
import { metaKeys, modernRequestMessage, requestMeta } from "../../lib/protocol/modern-meta.ts";
import {
  claimsModern,
  judgeModern,
  missingCapability,
  methodNotOffered,
  type ModernRequest,
  offeredVersions,
} from "../../lib/protocol/modern-request.ts";
import { envelope, modernVersion, notification, request, textOf, validMeta, valueOf } from "./wire.ts";

type Headers = Readonly<Record<string, string>>;

const judge = (message: Envelope, headers?: Headers): ReturnType<typeof judgeModern> =>
  judgeModern(message, headers && ((name) => headers[name]));

function refused(message: Envelope, headers?: Headers): GatewayError {
  const verdict = judge(message, headers);
  assert(verdict.kind === "refused");
  return verdict.error;
}

function accepted(message: Envelope, headers?: Headers): ModernRequest {
  const verdict = judge(message, headers);
  assert(verdict.kind === "modern", verdict.kind === "refused" ? verdict.error.message : "");
  return verdict.request;
}

const headersOf = (method: string, name?: string): Headers => ({
  "mcp-protocol-version": modernVersion,
  "mcp-method": method,
  ...(name === undefined ? {} : { "mcp-name": name }),
});

test("modern request: says who asks, and for what", () => {
  const meta = { ...validMeta, progressToken: "p", [metaKeys.logLevel]: "warning", traceparent: "00-1" };
  const read = accepted(
    request("tools/call", { name: "add", arguments: {}, _meta: meta }),
    headersOf("tools/call", " add "),
  );
  assert.equal(read.version, modernVersion);
  assert.deepEqual(read.clientInfo, { name: "tester", version: "1" });
  assert.deepEqual(read.capabilities, {});
  assert.equal(read.logLevel, "warning");
  assert.equal(read.name, "add");
  assert.equal(read.progressToken && textOf(read.progressToken), '"p"');
});

test("modern request: on stdio the body alone says it", () => {
  assert.equal(accepted(request("resources/read", { uri: "a:b", _meta: validMeta })).name, "a:b");
});

test("modern request: clientInfo may be absent", () => {
  const { [metaKeys.clientInfo]: _, ...meta } = validMeta;
  assert.equal(
    accepted(request("server/discover", { _meta: meta }), headersOf("server/discover")).clientInfo,
    undefined,
  );
});

test("modern request: metadata that is missing or wrong is -32602 with status 400", () => {
  const without = (key: string): object =>
    Object.fromEntries(Object.entries(validMeta).filter(([name]) => name !== key));
  const wrong: readonly (object | undefined)[] = [
    undefined,
    {},
    { _meta: null },
    { _meta: without(metaKeys.protocolVersion) },
    { _meta: without(metaKeys.clientCapabilities) },
    { _meta: { ...validMeta, [metaKeys.protocolVersion]: 1 } },
    { _meta: { ...validMeta, [metaKeys.clientCapabilities]: [] } },
    { _meta: { ...validMeta, [metaKeys.clientInfo]: { name: "x" } } },
    { _meta: { ...validMeta, [metaKeys.logLevel]: "loud" } },
  ];
  for (const params of wrong) {
    const error = refused(request("tools/list", params), headersOf("tools/list"));
    assert.equal(error.toRpc().code, -32602, JSON.stringify(params));
    assert.equal(error.row.http, 400);
  }
});

test("modern request: an unknown version is -32022 with the versions that are spoken", () => {
  const meta = { ...validMeta, [metaKeys.protocolVersion]: "v999.0.0" };
  const error = refused(request("server/discover", { _meta: meta }), {
    ...headersOf("server/discover"),
    "mcp-protocol-version": "v999.0.0",
  });
  const { code, data } = error.toRpc();
  assert.equal(code, -32022);
  assert.equal(error.row.http, 400);
  assert.deepEqual(data["supported"], offeredVersions);
  assert.equal(data["requested"], "v999.0.0");
  assert.equal(offeredVersions[0], modernVersion);
});

test("modern request: a version header that differs is -32020, whatever the body asks for", () => {
  for (const [header, body] of [
    [modernVersion, "v999.0.0"],
    ["2025-11-25", modernVersion],
    [undefined, modernVersion],
  ] as const) {
    const meta = { ...validMeta, [metaKeys.protocolVersion]: body };
    const headers = { "mcp-method": "tools/list", ...(header ? { "mcp-protocol-version": header } : {}) };
    const error = refused(request("tools/list", { _meta: meta }), headers);
    assert.equal(error.toRpc().code, -32020);
    assert.equal(error.row.http, 400);
  }
});

test("modern request: Mcp-Method and Mcp-Name must be there and agree", () => {
  const message = request("tools/call", { name: "größe", _meta: validMeta });
  accepted(message, headersOf("tools/call", "=?base64?Z3LDtsOfZQ==?="));
  for (const headers of [
    headersOf("tools/call"),
    headersOf("tools/call", "other"),
    headersOf("tools/call", "=?base64?Z3LDtsOfZQ=?="),
    headersOf("TOOLS/CALL", "=?base64?Z3LDtsOfZQ==?="),
    { "mcp-protocol-version": modernVersion },
  ]) {
    assert.equal(refused(message, headers).code, "headerMismatch");
  }
});

test("modern request: a body or a header makes the claim, and initialize opens a legacy session", () => {
  const legacyMeta = { ...validMeta, [metaKeys.protocolVersion]: "2025-11-25" };
  assert(claimsModern(request("ping", { _meta: validMeta }), undefined));
  assert(claimsModern(request("tools/list", { _meta: { [metaKeys.protocolVersion]: 7 } }), undefined));
  assert(claimsModern(request("tools/list"), modernVersion));
  assert(claimsModern(request("initialize", { _meta: validMeta }), undefined));
  assert(!claimsModern(request("initialize", { _meta: legacyMeta }), modernVersion));
  assert(!claimsModern(request("initialize", {}), modernVersion));
  assert(!claimsModern(request("tools/list", { _meta: { progressToken: 1 } }), "2025-11-25"));
  assert(!claimsModern(notification("notifications/cancelled", { requestId: 1 }), undefined));
});

test("modern request: a capability that is missing and a method that is unknown have their codes", () => {
  const lacking = missingCapability({ sampling: {} }, "the tool");
  assert.equal(lacking.toRpc().code, -32021);
  assert.deepEqual(lacking.toRpc().data["requiredCapabilities"], { sampling: {} });
  assert.equal(lacking.row.http, 400);
  assert.equal(methodNotOffered("ping").toRpc().code, -32601);
  assert.equal(methodNotOffered("ping").row.http, 404);
});

test("modern request: a backend's error has the status that its code asks for", () => {
  const statuses = [-32020, -32021, -32022, -32601, -32602, -32603, -32000].map(modernStatus);
  assert.deepEqual(statuses, [400, 400, 400, 404, 200, 200, 200]);
});

test("modern request: one that the gateway writes is one that it accepts", () => {
  const meta = requestMeta({ version: modernVersion, clientInfo: { name: "g", version: "1" }, capabilities: {} });
  const bytes = modernRequestMessage(3, "resources/read", meta, { uri: "a:b" });
  assert.deepEqual(valueOf(bytes), {
    jsonrpc: "2.0",
    id: 3,
    method: "resources/read",
    params: {
      uri: "a:b",
      _meta: {
        [metaKeys.protocolVersion]: modernVersion,
        [metaKeys.clientInfo]: { name: "g", version: "1" },
        [metaKeys.clientCapabilities]: {},
      },
    },
  });
  accepted(envelope(bytes), headersOf("resources/read", "a:b"));
});
