// A real OpenID provider on 127.0.0.1: oidc-provider, with one client for machines and one for people.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";

export interface OpenIdProvider extends AsyncDisposable {
  readonly issuer: string;
}

export const machine = { client_id: "machine", client_secret: "a-secret-of-the-machine" } as const;
const scopes = ["mcp", "mcp:admin"] as const;

/** Makes access tokens for any resource: signed ones, or opaque ones where its address ends in "/opaque". */
export async function startOpenIdProvider(): Promise<OpenIdProvider> {
  const server = createServer((request, response) => handler(request, response));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("the provider has no address");
  const issuer = `http://127.0.0.1:${address.port}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    clients: [{ ...machine, grant_types: ["client_credentials"], redirect_uris: [], response_types: [] }],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "first", use: "sig", alg: "RS256" }] },
    scopes: [...scopes],
    cookies: { keys: ["a cookie key of the tests"] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          scope: scopes.join(" "),
          audience: resource.replace(/\/opaque$/, ""),
          accessTokenTTL: 300,
          accessTokenFormat: resource.endsWith("/opaque") ? "opaque" : "jwt",
        }),
      },
    },
  });
  const handler = provider.callback();
  return {
    issuer,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An access token by the grant for machines. */
export async function machineToken(issuer: string, resource: string, scope: string): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "client_credentials", ...machine, resource, scope }),
  });
  const body: unknown = await response.json();
  const token: unknown = typeof body === "object" && body !== null ? Reflect.get(body, "access_token") : undefined;
  if (typeof token !== "string") throw new Error(`no token: ${JSON.stringify(body)}`);
  return token;
}
