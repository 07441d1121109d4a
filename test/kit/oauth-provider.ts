// A real OpenID provider on 127.0.0.1 to which people sign in: everybody is Ada, and Ada agrees.
import { generateKeyPairSync } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Provider } from "oidc-provider";

export interface ProviderOptions {
  /** Of access tokens, in seconds. */
  readonly lifeSeconds?: number;
  /** Clients that it knows beside those that register themselves. */
  readonly clients?: readonly object[];
  readonly features?: object;
}

export interface PeopleProvider extends AsyncDisposable {
  readonly issuer: string;
  /** Kinds of grants that were made and refused. */
  readonly granted: string[];
  readonly refused: string[];
  /** Parameters of what browsers asked for. */
  readonly authorizations: Readonly<Record<string, string>>[];
  /** How often each path was asked for. */
  readonly asked: Map<string, number>;
  /** Answers in place of the provider; true where it has. */
  instead: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
}

const scopes = ["mcp", "mcp:admin", "offline_access", "openid"];

export async function startPeopleProvider(options: ProviderOptions = {}): Promise<PeopleProvider> {
  const world = { handler: (_request: IncomingMessage, response: ServerResponse) => void response.end() };
  const server = createServer((request, response) => world.handler(request, response));
  const issuer = await listenOn(server);
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = { ...privateKey.export({ format: "jwk" }), kid: "first", use: "sig", alg: "RS256" };
  const provider = new Provider(issuer, configurationOf(options, jwk));
  const people: PeopleProvider = {
    issuer,
    granted: [],
    refused: [],
    authorizations: [],
    asked: new Map(),
    instead: undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  provider.on("grant.success", ({ oidc }) => people.granted.push(oidc.params?.["grant_type"] ?? ""));
  provider.on("grant.error", ({ oidc }) => people.refused.push(oidc.params?.["grant_type"] ?? ""));
  const callback = provider.callback();
  world.handler = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", issuer);
    people.asked.set(pathname, (people.asked.get(pathname) ?? 0) + 1);
    if (pathname === "/auth") people.authorizations.push(Object.fromEntries(searchParams));
    if (people.instead?.(request, response)) return;
    if (pathname.startsWith("/interaction/")) void agree(provider, request, response);
    else callback(request, response);
  };
  return people;
}

function configurationOf({ lifeSeconds = 300, clients = [], features = {} }: ProviderOptions, jwk: object): object {
  return {
    clients,
    jwks: { keys: [jwk] },
    scopes,
    cookies: { keys: ["a cookie key of the tests"] },
    interactions: { url: (_context: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}` },
    issueRefreshToken: () => true,
    // Public clients get a new refresh token with each use.
    rotateRefreshToken: true,
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          scope: "mcp mcp:admin",
          audience: resource,
          accessTokenTTL: lifeSeconds,
          accessTokenFormat: "jwt",
        }),
      },
      ...features,
    },
  };
}

async function agree(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === "login")
    return await provider.interactionFinished(request, response, { login: { accountId: "ada" } });
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  const fresh = { accountId: session?.accountId ?? "ada", clientId: params["client_id"] ?? "" };
  const grant = known ?? new provider.Grant(fresh);
  const { missingOIDCScope = [], missingOIDCClaims = [], missingResourceScopes = {} } = prompt.details;
  if (missingOIDCScope.length > 0) grant.addOIDCScope(missingOIDCScope.join(" "));
  if (missingOIDCClaims.length > 0) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, missing] of Object.entries(missingResourceScopes))
    grant.addResourceScope(resource, missing.join(" "));
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

/** Listens on a free port of 127.0.0.1; resolves to the origin. */
export async function listenOn(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("the server has no address");
  return `http://127.0.0.1:${address.port}`;
}
