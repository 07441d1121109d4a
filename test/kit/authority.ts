// An authorization server on 127.0.0.1 whose keys, answers and failures a test chooses; it counts what it is asked.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";

/** What a token may say in place of what a good one says. */
export interface TokenWish {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export class TestAuthority implements AsyncDisposable {
  readonly issuer: string;
  /** How often each path was asked for. */
  readonly asked: Map<string, number> = new Map();
  /** Tokens that introspection knows, with what it says of them. */
  readonly opaque: Map<string, Readonly<Record<string, unknown>>> = new Map();
  /** What the metadata says in place of the truth. */
  metadata: Readonly<Record<string, unknown>> = {};
  /** Answers with this status, whatever is asked. */
  failing: number | undefined;
  /** What is waited for before a path is answered. */
  before: ((path: string) => Promise<void>) | undefined;
  readonly #keys: SigningKey[] = [];
  readonly #close: () => Promise<void>;
  #lastKey = 0;

  private constructor(issuer: string, close: () => Promise<void>) {
    this.issuer = issuer;
    this.#close = close;
  }

  static async start(): Promise<TestAuthority> {
    const server = createServer((request, response) => {
      authority.#answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (typeof address !== "object" || !address) throw new Error("the authority has no address");
    const authority = new TestAuthority(`http://127.0.0.1:${address.port}`, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    await authority.rotate();
    return authority;
  }

  /** Signs with a new key from here on; `forget`: the old ones are not published any more. */
  async rotate(forget = true): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    if (forget) this.#keys.length = 0;
    const kid = `key-${(this.#lastKey += 1)}`;
    this.#keys.push({ kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" } });
  }

  get publicKey(): JWK {
    return this.#newest().jwk;
  }

  /** A token for an audience; good for five minutes unless it wishes otherwise. */
  async token(audience: string, { claims = {}, header = {} }: TokenWish = {}): Promise<string> {
    const { kid, privateKey } = this.#newest();
    const now = Math.floor(Date.now() / 1000);
    const good = { iss: this.issuer, sub: "ada", aud: audience, iat: now, exp: now + 300 };
    return await new SignJWT({ ...good, ...claims })
      .setProtectedHeader({ alg: "ES256", kid, typ: "at+jwt", ...header })
      .sign(privateKey);
  }

  count(path: string): number {
    return this.asked.get(path) ?? 0;
  }

  #newest(): SigningKey {
    const key = this.#keys.at(-1);
    if (!key) throw new Error("the authority has no key");
    return key;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", this.issuer);
    this.asked.set(pathname, this.count(pathname) + 1);
    await this.before?.(pathname);
    const body = new URLSearchParams(Buffer.concat(await Array.fromAsync(request)).toString());
    const answer = this.failing === undefined ? this.#document(pathname, body, request) : undefined;
    response.writeHead(answer ? 200 : (this.failing ?? 404), { "content-type": "application/json" });
    response.end(answer ? JSON.stringify(answer) : "");
  }

  #document(path: string, body: URLSearchParams, { headers }: IncomingMessage): object | undefined {
    switch (path) {
      case "/.well-known/oauth-authorization-server":
        return {
          issuer: this.issuer,
          jwks_uri: `${this.issuer}/jwks`,
          introspection_endpoint: `${this.issuer}/introspect`,
          ...this.metadata,
        };
      case "/jwks":
        return { keys: this.#keys.map(({ jwk }) => jwk) };
      case "/introspect": {
        const known = this.opaque.get(body.get("token") ?? "");
        const isClient = headers.authorization === `Basic ${Buffer.from("gateway:s%3Acret").toString("base64")}`;
        if (!isClient) return undefined;
        return known ? { active: true, ...known } : { active: false };
      }
      default:
        return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
