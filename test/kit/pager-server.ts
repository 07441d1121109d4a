// A server on stdin and stdout that pages its tools as its one argument says, well or badly; `--count N --size M`.
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const { positionals, values } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { count: { type: "string", default: "10" }, size: { type: "string", default: "4" } },
});
const mode = positionals[0] ?? "good";
const count = Number(values.count);
const size = Number(values.size);
let walks = 0;

const tool = (index: number): object => ({
  name: `tool_${String(index).padStart(7, "0")}`,
  description: `Number ${index}${mode === "wording" ? ` of walk ${walks}` : ""}`,
  inputSchema: { type: "object" },
});

type Reply = { readonly result: object } | { readonly error: { readonly code: number; readonly message: string } };

function listTools(cursor: unknown): Reply | undefined {
  if (cursor === undefined) walks += 1;
  const start = cursor === undefined ? 0 : Number(cursor);
  if (!Number.isInteger(start) || start < 0 || start > count) {
    if (mode === "bogus") return { result: { tools: [tool(0)] } };
    return { error: { code: -32602, message: "Invalid cursor" } };
  }
  if (mode === "hang" && start >= 2 * size) return undefined;
  if (mode === "error" && start >= size) return { error: { code: -32603, message: "the database is gone" } };
  const total = mode === "changing" ? count + walks : count;
  const indexes = Array.from({ length: Math.min(size, total - start) }, (_, at) => start + at);
  if (mode === "order" && walks % 2 === 0) indexes.reverse();
  if (mode === "duplicate" && start > 0) indexes[0] = 0;
  const end = start + indexes.length;
  const isEmpty = mode === "empty" && start === size;
  const next = mode === "cycle" && end >= total ? "0" : mode === "repeat" && start > 0 ? String(start) : String(end);
  const hasNext = end < total || mode === "cycle" || (mode === "repeat" && start > 0);
  const tools = isEmpty ? [] : indexes.map(tool);
  return { result: { tools, ...(hasNext ? { nextCursor: next } : {}) } };
}

function answer(method: string, params: Readonly<Record<string, unknown>>): Reply | undefined {
  switch (method) {
    case "initialize": {
      const serverInfo = { name: "pager", version: "1" };
      return { result: { protocolVersion: params["protocolVersion"], capabilities: { tools: {} }, serverInfo } };
    }
    case "tools/list":
      return listTools(params["cursor"]);
    case "ping":
      return { result: {} };
    default:
      return { error: { code: -32601, message: "Method not found" } };
  }
}

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    const reply = answer(method, params ?? {});
    if (reply) process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...reply })}\n`);
  })
  .on("close", () => process.exit(0));
