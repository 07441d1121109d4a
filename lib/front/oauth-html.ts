// The pages on which people sign in to backends: plain forms, no scripts, nothing fetched.

import type { LoginStatus } from "../backend/logins.ts";

/** What one line of the list says. */
export interface PageEntry {
  readonly backend: string;
  readonly login: LoginStatus | undefined;
  /** How it is signed in where nobody has to. */
  readonly kind: string;
  /** Everybody's login, which an operator keeps. */
  readonly isShared: boolean;
  /** Whether whoever looks may do something about it. */
  readonly isOpen: boolean;
  /** Logins of others, for operators. */
  readonly others: readonly LoginStatus[];
}

export interface ListPage {
  readonly who: string;
  readonly canSignOut: boolean;
  readonly token: string;
  readonly entries: readonly PageEntry[];
  /** Of the backend that was asked for. */
  readonly chosen: string | undefined;
  readonly notice: Notice | undefined;
}

export interface Notice {
  readonly kind: "done" | "failed";
  readonly text: string;
}

export function listPage(page: ListPage): string {
  const { entries, who, canSignOut, token, notice } = page;
  const list =
    entries.length === 0
      ? "<p>There is no backend here.</p>"
      : `<ul class="list">${entries.map((each) => entryOf(each, page)).join("")}</ul>`;
  const leave = canSignOut ? form("signout", token, {}, button("Sign out", "plain")) : "";
  return frame(
    "Logins of backends",
    `<header><div><h1>Logins of backends</h1><p class="dim">You are ${escape(who)}.</p></div>${leave}</header>
<main>${noticeOf(notice)}${list}</main>`,
  );
}

function entryOf(entry: PageEntry, { token, chosen }: ListPage): string {
  const { backend, login, kind, isShared, isOpen, others } = entry;
  const id = `b-${escape(backend)}`;
  const chip = login
    ? `<span class="chip ${login.state}">${stateWords[login.state]}</span>`
    : `<span class="chip">${escape(kind)}</span>`;
  const shared = isShared ? '<span class="chip">for everybody</span>' : "";
  const actions = login && isOpen ? actionsOf(backend, login, token) : "";
  const closed = login && !isOpen ? '<p class="dim">Only an operator can change this login.</p>' : "";
  const rest = others.map((other) => otherOf(backend, other, token)).join("");
  const more =
    rest === "" ? "" : `<details><summary>Logins of others (${others.length})</summary><ul>${rest}</ul></details>`;
  return `<li${backend === chosen ? ' class="chosen"' : ""} id="${id}"><div class="head"><h2>${escape(backend)}</h2>${chip}${shared}</div>${
    login ? factsOf(login) : ""
  }${actions}${closed}${more}</li>`;
}

const stateWords = { none: "not signed in", active: "signed in", expired: "expired", ended: "ended" } as const;

function factsOf(login: LoginStatus): string {
  const { issuer, since, expiresAt, renewable, scopes, wanted, why } = login;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["Authorization server", issuer],
    ["Since", since && when(since)],
    ["Token until", expiresAt && `${when(expiresAt)}${renewable ? ", then renewed by itself" : ""}`],
    ["Rights", scopes.length > 0 ? scopes.join(" ") : undefined],
    ["Rights that calls wanted", wanted.length > 0 ? wanted.join(" ") : undefined],
    ["Why it ended", why],
  ];
  const given = rows.flatMap(([name, value]) => (value ? [`<dt>${name}</dt><dd>${escape(value)}</dd>`] : []));
  return given.length === 0 ? "" : `<dl>${given.join("")}</dl>`;
}

function actionsOf(backend: string, { state, renewable, wanted }: LoginStatus, token: string): string {
  const label = state === "none" ? "Sign in" : wanted.length > 0 ? "Ask for these rights" : "Sign in again";
  const start = form(
    "start",
    token,
    { backend },
    button(label, state === "active" && wanted.length === 0 ? "plain" : "", backend),
  );
  const renew = renewable ? form("renew", token, { backend }, button("Renew", "plain", backend)) : "";
  const revoke = state === "none" ? "" : form("revoke", token, { backend }, button("Revoke", "plain", backend));
  return `<div class="actions">${start}${renew}${revoke}</div>`;
}

function otherOf(backend: string, { who, state, since }: LoginStatus, token: string): string {
  const end = form("revoke", token, { backend, who }, button("Revoke", "plain", `the login of ${who} at ${backend}`));
  return `<li><span>${escape(who)}</span><span class="chip ${state}">${stateWords[state]}</span><span class="dim">${
    since ? when(since) : ""
  }</span>${end}</li>`;
}

export interface ConsentPage {
  readonly backend: string;
  readonly issuer: string;
  readonly url: string;
  readonly scopes: readonly string[];
  readonly isShared: boolean;
}

/** Where somebody goes on to, said before they go. */
export function consentPage({ backend, issuer, url, scopes, isShared }: ConsentPage): string {
  const { host } = new URL(url);
  const rights = scopes.length > 0 ? `<dt>Rights that are asked for</dt><dd>${escape(scopes.join(" "))}</dd>` : "";
  const whose = isShared
    ? "Everybody who calls this backend through the gateway will use this login."
    : "Only your own calls will use this login.";
  return frame(
    `Sign in to ${backend}`,
    `<header><h1>Sign in to ${escape(backend)}</h1></header>
<main><p>You go on to <strong>${escape(host)}</strong>, and come back here. ${whose}</p>
<dl><dt>Authorization server</dt><dd>${escape(issuer)}</dd>${rights}</dl>
<div class="actions"><a class="button" href="${escape(url)}">Go on to ${escape(host)}</a><a class="button plain" href="/oauth">Back</a></div></main>`,
  );
}

export function signInPage(token: string, notice: Notice | undefined, chosen: string | undefined): string {
  return frame(
    "Sign in",
    `<header><h1>Sign in to the gateway</h1></header>
<main>${noticeOf(notice)}<p>Show what your client shows: an API key of the gateway, or an access token for it.</p>
${form("signin", token, chosen === undefined ? {} : { backend: chosen }, `<label for="key">Key or token</label><input id="key" name="key" type="password" autocomplete="off" required>${button("Sign in", "")}`)}</main>`,
  );
}

function noticeOf(notice: Notice | undefined): string {
  return notice ? `<p class="notice ${notice.kind}" role="status">${escape(notice.text)}</p>` : "";
}

function form(action: string, token: string, fields: Readonly<Record<string, string>>, inner: string): string {
  const hidden = Object.entries({ token, ...fields }).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escape(value)}">`,
  );
  return `<form method="post" action="/oauth/${action}">${hidden.join("")}${inner}</form>`;
}

/** `about`: for those who hear the page and not see it. */
function button(label: string, kind: string, about?: string): string {
  const name = about === undefined ? "" : ` aria-label="${escape(`${label}: ${about}`)}"`;
  return `<button class="button ${kind}"${name}>${label}</button>`;
}

function when(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

const style = `
:root { color-scheme: light dark; --ink: #16202b; --dim: #4a5867; --line: #d5dce4; --paper: #fff; --card: #f6f8fa; --main: #0b57c4; --on: #fff; --good: #0a6b35; --bad: #a4211b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf3; --dim: #a3b1c0; --line: #36424f; --paper: #12181f; --card: #1a222b; --main: #7fb2ff; --on: #0b1420; --good: #6fd39a; --bad: #ff9d94; } }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header, main { max-width: 46rem; margin: 0 auto; padding: 1.25rem 1rem 0; }
header { display: flex; flex-wrap: wrap; gap: 1rem; justify-content: space-between; align-items: start; }
main { padding-bottom: 3rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .5rem 0; }
ul { list-style: none; margin: 0; padding: 0; }
.list > li { border: 1px solid var(--line); border-radius: .6rem; background: var(--card); padding: 1rem; margin-top: 1rem; }
.list > li.chosen { border-color: var(--main); box-shadow: 0 0 0 1px var(--main); }
.head { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.chip { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem; font-size: .85rem; color: var(--dim); white-space: nowrap; }
.chip.active { color: var(--good); }
.chip.ended, .chip.expired { color: var(--bad); }
.dim { color: var(--dim); }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .25rem 1rem; margin: .75rem 0; }
dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
.actions { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .75rem; }
.button { display: inline-block; font: inherit; padding: .45rem .9rem; min-height: 2.5rem; border: 1px solid var(--main); border-radius: .4rem; background: var(--main); color: var(--on); text-decoration: none; cursor: pointer; overflow-wrap: anywhere; }
.button.plain { background: transparent; color: var(--main); }
.button:focus-visible, input:focus-visible, summary:focus-visible { outline: 3px solid var(--main); outline-offset: 2px; }
label { display: block; margin-bottom: .25rem; }
input[type=password] { display: block; width: 100%; font: inherit; padding: .5rem; margin-bottom: .75rem; color: inherit; background: var(--paper); border: 1px solid var(--dim); border-radius: .4rem; }
.notice { border-left: 4px solid var(--good); background: var(--card); padding: .5rem .75rem; overflow-wrap: anywhere; }
.notice.failed { border-color: var(--bad); }
details { margin-top: .75rem; }
details li { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; padding: .4rem 0; overflow-wrap: anywhere; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }`;

function frame(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} - mcpctl</title><style>${style}</style></head>
<body>${body}</body></html>
`;
}
