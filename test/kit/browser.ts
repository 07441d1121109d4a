// A browser without a screen: it keeps cookies, follows redirects, fills in forms, and sends what browsers send.

export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
}

const maxRedirects = 20;

export class Browser {
  /** By host with its port, then by name. */
  readonly #cookies = new Map<string, Map<string, string>>();
  /** Addresses that it was at, redirects among them. */
  readonly visited: string[] = [];

  async open(url: string, init: RequestInit = {}, stop: (url: URL) => boolean = () => false): Promise<Page> {
    let at = new URL(url);
    let request = init;
    for (let hop = 0; hop < maxRedirects; hop += 1) {
      this.visited.push(at.href);
      const headers = new Headers(request.headers);
      const jar = this.#cookies.get(at.host);
      if (jar && jar.size > 0) headers.set("cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
      const response = await fetch(at, { ...request, headers, redirect: "manual" });
      this.#keep(at.host, response.headers.getSetCookie());
      const location = response.headers.get("location");
      const html = await response.text();
      if (location === null || response.status < 300 || response.status >= 400)
        return { url: at, status: response.status, headers: response.headers, html };
      at = new URL(location, at);
      if (stop(at)) return { url: at, status: response.status, headers: response.headers, html: "" };
      request = { headers: new Headers(init.headers) };
    }
    throw new Error(`too many redirects: ${this.visited.join(" ")}`);
  }

  /** Sends the form of a page whose action ends like this, with these fields changed. */
  async submit(page: Page, action: string, fields: Readonly<Record<string, string>> = {}): Promise<Page> {
    const form = formsOf(page).find((each) => each.action.endsWith(action) && matches(each.fields, fields));
    if (!form) throw new Error(`no form for ${action} ${JSON.stringify(fields)} in ${page.html}`);
    return await this.open(new URL(form.action, page.url).href, {
      method: "POST",
      headers: {
        origin: page.url.origin,
        "content-type": "application/x-www-form-urlencoded",
        "sec-fetch-site": "same-origin",
      },
      body: new URLSearchParams({ ...form.fields, ...fields }).toString(),
    });
  }

  cookies(host: string): ReadonlyMap<string, string> {
    return this.#cookies.get(host) ?? new Map();
  }

  #keep(host: string, set: readonly string[]): void {
    const jar = this.#cookies.get(host) ?? new Map<string, string>();
    this.#cookies.set(host, jar);
    for (const line of set) {
      const [pair = "", ...rest] = line.split(";");
      const [name = "", ...value] = pair.split("=");
      const isGone = rest.some((part) => /^\s*max-age=0/i.test(part) || /expires=Thu, 01 Jan 1970/i.test(part));
      if (isGone) jar.delete(name.trim());
      else jar.set(name.trim(), value.join("="));
    }
  }
}

interface Form {
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

function formsOf({ html }: Page): readonly Form[] {
  return [...html.matchAll(/<form[^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].map(([, action = "", inner = ""]) => {
    const inputs = [...inner.matchAll(/<input[^>]*name="([^"]*)"[^>]*>/g)];
    const fields = inputs.map(([tag, name = ""]) => [name, unescape(/value="([^"]*)"/.exec(tag)?.[1] ?? "")] as const);
    return { action: unescape(action), fields: Object.fromEntries(fields) };
  });
}

/** Of fields that the form has: which backend it is about, for one. */
function matches(has: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(
    ([name, value]) => has[name] === undefined || has[name] === "" || has[name] === value,
  );
}

export function linkOf({ html }: Page, text: RegExp): string {
  for (const [, href = "", label = ""] of html.matchAll(/<a[^>]*href="([^"]*)"[^>]*>(.*?)<\/a>/gs))
    if (text.test(label)) return unescape(href);
  throw new Error(`no link ${String(text)} in ${html}`);
}

function unescape(text: string): string {
  return text
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
