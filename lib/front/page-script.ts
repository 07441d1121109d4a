// The script of the status page, as the browser gets it: it reads the live stream, and asks for the catalog over MCP.

export const script: string = String.raw`
const byId = (id) => document.getElementById(id);
const maxPoints = 60, maxItems = 5000, maxRows = 200;
const past = new Map();
let key = sessionStorage.getItem("mcpctl-key") ?? "";
let last;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function chip(element, state, text = state) {
  say(element, text);
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  element.className = "chip " + state;
}

/** One child for each item: those that stay keep their place in the page, and what is open or focused in them. */
function keep(parent, items, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const name = keyOf(item);
    let child = known.get(name);
    if (child) known.delete(name);
    else {
      child = create(item);
      child.dataset.key = name;
    }
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
    update(child, item);
  }
  for (const child of known.values()) child.remove();
}

const time = (seconds) => {
  if (seconds === undefined || seconds === null) return "–";
  if (seconds < 0.001) return Math.round(seconds * 1e6) + " µs";
  if (seconds < 1) return (seconds * 1000).toPrecision(seconds < 0.01 ? 2 : 3).replace(/\.0$/, "") + " ms";
  return seconds < 120 ? seconds.toFixed(1) + " s" : Math.round(seconds / 60) + " min";
};
const span = (seconds) => {
  if (seconds < 60) return Math.round(seconds) + " s";
  if (seconds < 3600) return Math.round(seconds / 60) + " min";
  return seconds < 172800 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86400) + " d";
};

function fact(parent, label, value) {
  const part = make("span");
  part.append(label + " ", make("b", "", String(value)));
  parent.append(part);
}

function spark(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "spark");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  const top = Math.max(...values, 1e-6);
  const step = 100 / (maxPoints - 1);
  const first = maxPoints - values.length;
  line.setAttribute("points", values.map((value, at) => ((first + at) * step).toFixed(1) + "," + (19 - (value / top) * 18).toFixed(1)).join(" "));
  svg.append(line);
  return svg;
}

/** What happened since the last look. */
function since(figure, before, seconds) {
  const then = before?.figures?.find(({ name }) => name === figure.name);
  const calls = then ? Math.max(0, figure.calls - then.calls) : 0;
  const good = then ? Math.max(0, figure.calls - figure.errors - (then.calls - then.errors)) : 0;
  return { rate: seconds > 0 ? calls / seconds : 0, mean: good > 0 ? Math.max(0, figure.seconds - then.seconds) / good : undefined };
}

function newBackend({ name }) {
  const card = make("li", "card");
  const head = make("div", "row");
  head.append(make("h3", "", name), make("span", "chip"), make("span", "dim"));
  card.append(head, make("p", "facts"), make("div"), make("p", "dim"), make("div"), make("ul", "replicas"));
  return card;
}

function showBackend(card, { name, health, figure, now, hints }) {
  const [head, facts, chart, latency, trouble, replicas] = card.children;
  chip(head.children[1], health.state);
  say(head.children[2], "for " + span((Date.now() - Date.parse(health.since)) / 1000) + ", " + health.transport);
  facts.replaceChildren();
  fact(facts, "calls", health.calls);
  fact(facts, "errors", figure ? figure.errors : health.failures);
  fact(facts, "in flight", health.inFlight);
  if (figure) fact(facts, "calls/s", now.rate.toFixed(1));
  const points = past.get(name) ?? [];
  chart.replaceChildren(...(points.length > 1 ? [spark(points)] : []));
  const { p50, p95, p99 } = figure?.latency ?? {};
  say(latency, p50 === undefined || p50 === null ? "" : "p50 " + time(p50) + ", p95 " + time(p95) + ", p99 " + time(p99));
  const error = health.error;
  say(trouble, "");
  if (error) {
    const box = make("div", "error");
    box.append(make("p", "", error.code + ": " + error.message));
    if (hints[error.code]) box.append(make("p", "dim", "To do: " + hints[error.code]));
    trouble.append(box);
  }
  for (const listing of health.listings ?? []) trouble.append(make("p", "error", "The listing of " + listing.kind + " is " + (listing.state ?? listing.reason ?? "incomplete") + "."));
  const states = health.replicas ?? (figure?.replicas.some(({ breaker }) => breaker === "open" || breaker === "halfOpen") ? figure.replicas : []);
  keep(replicas, states.map((state, at) => ({ state, at, figure: figure?.replicas[at] })), ({ at }) => String(at), ({ at }) => {
    const line = make("li");
    line.append(make("span", "", "replica " + (at + 1)), make("span", "chip"), make("span", "chip"), make("span", "dim"));
    return line;
  }, (line, { state, figure: own }) => {
    chip(line.children[1], state.state);
    line.children[2].hidden = !own || own.breaker === "none" || own.breaker === "closed";
    if (own) chip(line.children[2], own.breaker, "breaker " + (own.breaker === "halfOpen" ? "half open" : own.breaker));
    const why = state.error?.message ?? state.left ?? own?.left ?? "";
    say(line.children[3], (state.pending ?? own?.inFlight ?? 0) + " in flight" + (why ? ", " + why : ""));
  });
}

function newCall(call) {
  const details = make("details");
  const head = make("summary");
  head.append(make("span", "dim num", call.at.slice(11, 19)), make("span", "name", (call.name || call.method)), make("span", "chip"), make("span", "dim num"));
  details.append(head, make("p", "dim"), make("ol"));
  return details;
}

function showCall(details, call) {
  const [head, about, notes] = details.children;
  chip(head.children[2], call.outcome.replace(" ", "-"), call.outcome);
  say(head.children[3], time(call.tookMs / 1000));
  say(about, call.method + (call.backend ? " at " + call.backend : "") + ", id " + call.ids.join(", "));
  keep(notes, call.notes.map((note, at) => ({ note, at })), ({ at }) => String(at), () => make("li"), (line, { note }) => say(line, note.ms + " ms: " + note.text));
}

function show(snapshot) {
  const { health, figures, calls, hints, at } = snapshot;
  const seconds = last ? (at - last.at) / 1000 : 0;
  byId("content").hidden = false;
  byId("signin").hidden = true;
  notice("");
  chip(byId("overall"), health.status);
  document.title = health.status + " - mcpctl";
  const rates = new Map((figures ?? []).map((figure) => [figure.name, since(figure, last, seconds)]));
  const facts = byId("facts");
  facts.replaceChildren();
  if (figures) fact(facts, "calls/s", [...rates.values()].reduce((sum, { rate }) => sum + rate, 0).toFixed(1));
  fact(facts, "in flight", health.inFlight);
  fact(facts, "sessions", health.sessions);
  fact(facts, "listeners", health.listeners);
  if (health.parked) fact(facts, "waiting for input", health.parked);
  fact(facts, "up for", span(health.uptimeSeconds));
  fact(facts, "version", health.version);
  if (health.worker) fact(facts, "worker", health.worker.place + 1 + " of " + health.worker.count);
  if (health.cluster) fact(facts, "cluster", health.cluster.state + (health.cluster.processes ? ", " + health.cluster.processes + " processes" : ""));
  if (health.chaos) fact(facts, "faults on purpose", health.chaos.injected);
  for (const [name, { mean }] of rates) {
    const points = past.get(name) ?? [];
    if (mean !== undefined) points.push(mean);
    if (points.length > maxPoints) points.shift();
    past.set(name, points);
  }
  const backends = Object.entries(health.backends).map(([name, own]) => ({ name, health: own, hints, figure: figures?.find((each) => each.name === name), now: rates.get(name) }));
  keep(byId("backends"), backends, ({ name }) => name, newBackend, showBackend);
  const slowest = (figures ?? []).flatMap((figure) => figure.slowest).sort((a, b) => (b.latency.p95 ?? 0) - (a.latency.p95 ?? 0)).slice(0, 10);
  keep(byId("slowest"), slowest, ({ tool }) => tool, ({ tool }) => {
    const row = make("tr");
    row.append(make("td", "", tool), ...Array.from({ length: 5 }, () => make("td", "num")));
    return row;
  }, (row, { latency, calls: count, errors }) => [time(latency.p50), time(latency.p95), time(latency.p99), String(count), String(errors)].forEach((text, index) => say(row.children[index + 1], text)));
  byId("tools").hidden = slowest.length === 0;
  byId("notools").hidden = slowest.length > 0;
  byId("nocalls").hidden = calls.length > 0;
  keep(byId("calls"), calls, (call) => call.at + call.ids[0] + call.name, newCall, showCall);
  last = snapshot;
}

function notice(text) {
  say(byId("notice"), text);
  byId("notice").hidden = text === "";
}

const shown = () => (key === "" ? {} : { authorization: "Bearer " + key });

async function refusalOf(response) {
  const body = await response.json().catch(() => undefined);
  return body?.error?.message ?? "the gateway answered " + response.status;
}

/** Reads the stream until it ends; false where nobody is let in. */
async function follow() {
  const response = await fetch("/page/live", { headers: { accept: "text/event-stream", ...shown() }, cache: "no-store" });
  if (response.status === 401 || response.status === 403) {
    const why = await refusalOf(response);
    byId("signin").hidden = false;
    byId("content").hidden = true;
    chip(byId("overall"), "locked");
    notice(key === "" && response.status === 401 ? "" : why);
    return false;
  }
  if (!response.ok) throw new Error(await refusalOf(response));
  let text = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return true;
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    const data = events.map((event) => event.split("\n").find((line) => line.startsWith("data: "))).filter(Boolean);
    if (data.length > 0) show(JSON.parse(data.at(-1).slice(6)));
  }
}

async function live() {
  for (;;) {
    try {
      if (!(await follow())) return;
    } catch (error) {
      notice("The gateway cannot be reached: " + error.message + ". Trying again.");
      chip(byId("overall"), "unavailable", "no connection");
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

let items;

async function ask(method, cursor) {
  const response = await fetch("/mcp", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": version, "mcp-method": method, ...shown() },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...(cursor === undefined ? {} : { cursor }), _meta: meta } }),
  });
  const body = JSON.parse((await response.text()).replace(/^[^]*?\bdata: (?=\{)/, ""));
  if (!body.result) throw new Error(body.error?.message ?? "the gateway answered " + response.status);
  return body.result;
}

const kinds = [["tools/list", "tools", "tool"], ["prompts/list", "prompts", "prompt"], ["resources/list", "resources", "resource"], ["resources/templates/list", "resourceTemplates", "template"]];

async function loadCatalog() {
  if (items) return;
  items = [];
  for (const [method, member, kind] of kinds) {
    let cursor;
    do {
      say(byId("count"), "Loading, " + items.length + " so far");
      const page = await ask(method, cursor);
      for (const item of page[member]) {
        const name = item.uri ?? item.uriTemplate ?? item.name;
        const text = item.description ?? item.title ?? "";
        const tokens = Math.ceil(new TextEncoder().encode(JSON.stringify(item)).length / 4);
        items.push({ kind, name, text, tokens, found: (name + " " + (item.title ?? "") + " " + text).toLowerCase() });
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined && items.length < maxItems);
  }
  showItems();
}

function showItems() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = items.filter((item) => words.every((word) => item.found.includes(word)));
  const tokens = found.reduce((sum, item) => sum + item.tokens, 0);
  say(byId("count"), found.length + " of " + items.length + (items.length >= maxItems ? " (and more that are not loaded)" : "") + ", about " + tokens + " tokens in a model's context" + (found.length > maxRows ? "; the first " + maxRows + " are shown" : ""));
  keep(byId("items"), found.slice(0, maxRows), ({ kind, name }) => kind + " " + name, ({ kind, name, text, tokens: cost }) => {
    const row = make("tr");
    row.append(make("td", "", name), make("td", "kind dim", kind), make("td", "num", String(cost)), make("td", "wide dim", text.length > 300 ? text.slice(0, 300) + "…" : text));
    return row;
  }, () => {});
}

byId("catalog").addEventListener("toggle", () => {
  if (byId("catalog").open) loadCatalog().catch((error) => { items = undefined; say(byId("count"), "The catalog cannot be read: " + error.message); });
});
byId("search").addEventListener("input", () => items && showItems());
byId("signin").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  byId("key").value = "";
  sessionStorage.setItem("mcpctl-key", key);
  live();
});
live();
`;
