// What merge-and-stringify costs: reads all tools of the servers at a URL once, and answers each page from objects.
import { createServer } from "node:http";
import process from "node:process";

const [base = "", servers = "50"] = process.argv.slice(2);
const pageSize = 1000;

interface Tool {
  readonly name: string;
}

async function readAll(url: string): Promise<readonly Tool[]> {
  const tools: Tool[] = [];
  let cursor: string | undefined;
  do {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { cursor } });
    const response = await fetch(url, { method: "POST", body });
    const { result } = (await response.json()) as { result: { tools: Tool[]; nextCursor?: string } };
    tools.push(...result.tools);
    cursor = result.nextCursor;
  } while (cursor !== undefined);
  return tools;
}

const names = Array.from({ length: Number(servers) }, (_, at) => `b${at}`);
const catalogs = await Promise.all(names.map(async (name) => ({ name, tools: await readAll(`${base}/${name}`) })));

function listPage(cursor: string | undefined): object {
  const all = catalogs.flatMap(({ name, tools }) => tools.map((tool) => ({ ...tool, name: `${name}__${tool.name}` })));
  const from = Number(cursor ?? 0);
  const next = from + pageSize < all.length ? { nextCursor: String(from + pageSize) } : {};
  return { tools: all.slice(from, from + pageSize), ...next };
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { id, params } = JSON.parse(Buffer.concat(chunks).toString()) as { id: number; params: { cursor?: string } };
    const text = JSON.stringify({ jsonrpc: "2.0", id, result: listPage(params.cursor) });
    response.writeHead(200, { "content-type": "application/json" }).end(text);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`listening ${typeof address === "object" && address ? address.port : 0}\n`);
});
