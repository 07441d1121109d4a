// A gateway before a server that wants a login at a real provider, and a browser of somebody who signs in.
import { type Browser, linkOf, type Page } from "./browser.ts";
import { type PeopleProvider, type ProviderOptions, startPeopleProvider } from "./oauth-provider.ts";
import { type ProtectedResource, startProtectedResource } from "./oauth-resource.ts";
import { type HttpServerProcess, startHttpServer } from "./process.ts";

export interface OAuthWorld extends AsyncDisposable {
  readonly provider: PeopleProvider;
  readonly resource: ProtectedResource;
}

export interface WorldOptions extends ProviderOptions {
  readonly era?: "legacy" | "modern";
  readonly adminTool?: string;
}

export async function startOAuthWorld({
  era = "legacy",
  adminTool,
  ...options
}: WorldOptions = {}): Promise<OAuthWorld> {
  const provider = await startPeopleProvider(options);
  const script = era === "legacy" ? "test/kit/fixture-server.ts" : "test/kit/modern-server.ts";
  const server: HttpServerProcess = await startHttpServer(script);
  const resource = await startProtectedResource({
    upstream: server.url,
    issuer: provider.issuer,
    ...(adminTool === undefined ? {} : { adminTool }),
  });
  return {
    provider,
    resource,
    [Symbol.asyncDispose]: async () => {
      await resource[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await provider[Symbol.asyncDispose]();
    },
  };
}

/** Signs in to a backend on the gateway's page; resolves to the page at the end. */
export async function signIn(browser: Browser, origin: string, backend: string): Promise<Page> {
  const list = await browser.open(`${origin}/oauth?backend=${backend}`);
  return await browser.open(linkOf(await browser.submit(list, "/oauth/start", { backend }), /Go on/));
}
