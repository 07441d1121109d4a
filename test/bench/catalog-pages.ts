// Makes pages of the catalog of a URL in both ways, and prints the processor time of one: `catalog-pages.ts <url> <servers>`.
import process from "node:process";
import { giveBack, Rooms } from "../../lib/core/room.ts";
import { Sealer } from "../../lib/core/seal.ts";
import { decodeText, encodeText } from "../../lib/core/text.ts";
import { type Page, readPage } from "../../lib/merge/catalog.ts";
import { Cursors } from "../../lib/merge/cursor.ts";
import { Indexes } from "../../lib/merge/indexes.ts";
import { cutPage, type Walk, walkStart, writePage } from "../../lib/merge/page.ts";
import { buildSlab, type Slab } from "../../lib/merge/slab.ts";

const [base = "", servers = "50"] = process.argv.slice(2);
const rounds = 5;

interface Tool {
  readonly name: string;
}

async function readPages(url: string): Promise<readonly Page[]> {
  const pages: Page[] = [];
  let cursor: string | undefined;
  do {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { cursor } });
    const response = await fetch(url, { method: "POST", body });
    const page = readPage("tools", new Uint8Array(await response.arrayBuffer()));
    if (!page) throw new Error("no page");
    pages.push(page);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return pages;
}

const slabs: Slab[] = [];
const catalogs: { readonly name: string; readonly tools: readonly Tool[] }[] = [];
for (let server = 0; server < Number(servers); server += 1) {
  const name = `b${server}`;
  const pages = await readPages(`${base}/${name}`);
  slabs.push(buildSlab(name, pages));
  const toolsOf = ({ bytes }: Page): Tool[] =>
    (JSON.parse(decodeText(bytes)) as { result: { tools: Tool[] } }).result.tools;
  catalogs.push({ name, tools: pages.flatMap(toolsOf) });
}

/** A whole walk as a listing request does it, but for the wire; returns the number of pages. */
function walkOwn(size: number): number {
  let pages = 0;
  let walk: Walk | undefined = walkStart;
  while (walk) {
    const { sections } = indexes.of("tools", slabs, view, priority, "legacy");
    const cut: ReturnType<typeof cutPage> = cutPage(sections, walk, size);
    giveBack(writePage(cut, head, tail, rooms));
    walk = cut.next && cursors.open(use, cursors.seal(use, cut.next));
    pages += 1;
  }
  return pages;
}

function walkNaive(size: number): number {
  const count = 20;
  for (let page = 0; page < count; page += 1) {
    const all = catalogs.flatMap(({ name, tools }) =>
      tools.map((tool) => ({ ...tool, name: `${name}__${tool.name}` })),
    );
    const result = { tools: all.slice(page * size, (page + 1) * size), nextCursor: String((page + 1) * size) };
    encodeText(JSON.stringify({ jsonrpc: "2.0", id: 1, result }));
  }
  return count;
}

const view = { backend: "", naming: "prefix", separator: "__" } as const;
const use = { kind: "tools", view: "", principal: "anonymous" } as const;
const priority: readonly string[] = [];
const indexes = new Indexes(() => {});
const cursors = new Cursors(new Sealer(["bench"]));
const rooms = new Rooms();
const head = encodeText('{"jsonrpc":"2.0","id":1,"result":{"tools":[');
const tail = encodeText("]}}");

/** Of the rounds the one that was disturbed least; µs. */
function cpuOf(walk: (size: number) => number, size: number): number {
  let least = Infinity;
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    const pages = walk(size);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / pages);
  }
  return least;
}

const made = {
  own1000: cpuOf(walkOwn, 1000),
  own100: cpuOf(walkOwn, 100),
  naive1000: cpuOf(walkNaive, 1000),
  naive100: cpuOf(walkNaive, 100),
};
process.stdout.write(JSON.stringify(made));
