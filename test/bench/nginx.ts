// nginx as the yardstick: one worker that proxies with keep-alive, and a second one that ends TLS before the backend.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nginxHead } from "../kit/nginx-head.ts";
import type { Way } from "./load.ts";
import { findProgram, freePort, runTool, type Stage } from "./programs.ts";

/** The path of nginx; installs Debian's package where it is missing and that is allowed. */
export function findNginx(): string {
  const found = findProgram("nginx");
  if (found !== undefined) return found;
  console.log("nginx is missing: installing Debian's package");
  try {
    runTool("apt-get", ["install", "-y", "--no-install-recommends", "nginx"]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`the bench compares with nginx, and it cannot be installed: apt-get install nginx\n${why}`, {
      cause: error,
    });
  }
  const installed = findProgram("nginx");
  if (installed === undefined) throw new Error("nginx was installed and cannot be found");
  return installed;
}

/** Makes a certificate for 127.0.0.1 and gives the paths of it and of its key. */
export function makeCertificate(stage: Stage): { readonly certificate: string; readonly key: string } {
  const [certificate, key] = [join(stage.folder, "certificate.pem"), join(stage.folder, "key.pem")];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  runTool("openssl", ["req", "-x509", ...kind, ...subject, "-keyout", key, "-out", certificate]);
  return { certificate, key };
}

const hostOf = (url: string): string => new URL(url).host;

/**
 * As somebody who knows nginx would set it up for this: nothing is logged or written to a disk, no connection is closed
 * early, bodies stay in memory. Event streams are not buffered because the backend says so (X-Accel-Buffering: no).
 */
function configOf(folder: string, servers: string): string {
  return `
${nginxHead(folder)}
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_body_buffer_size 1m;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_read_timeout 1h;
  proxy_max_temp_file_size 0;
  ${servers}
}
`;
}

const upstream = (name: string, host: string): string =>
  `upstream ${name} { server ${host}; keepalive 512; keepalive_timeout 1h; keepalive_requests 1000000000; }`;

function launch(stage: Stage, name: string, servers: string): number {
  const folder = join(stage.folder, name);
  mkdirSync(folder);
  const file = join(folder, "nginx.conf");
  writeFileSync(file, configOf(folder, servers));
  return stage.start(name, findNginx(), ["-p", folder, "-e", "stderr", "-c", file]).pid;
}

/** Starts an nginx that only ends TLS, as the backend of the TLS case. Gives its address. */
export async function startTlsBackend(
  stage: Stage,
  backend: string,
  { certificate, key }: { readonly certificate: string; readonly key: string },
): Promise<string> {
  const port = await freePort();
  launch(
    stage,
    "tls-backend",
    `${upstream("backend", hostOf(backend))}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    ssl_session_cache shared:tls:1m;
    location / { proxy_pass http://backend; }
  }`,
  );
  return `https://127.0.0.1:${port}/mcp`;
}

/** Starts the nginx that is measured: one address leads to the plain backend, the other one to the backend with TLS. */
export async function startNginx(
  stage: Stage,
  backend: string,
  secure: string,
  certificate: string,
): Promise<{ readonly plain: Way; readonly tls: Way }> {
  const [plainPort, tlsPort] = [await freePort(), await freePort()];
  const pid = launch(
    stage,
    "nginx",
    `${upstream("backend", hostOf(backend))}
  ${upstream("secure", hostOf(secure))}
  server {
    listen 127.0.0.1:${plainPort};
    location / { proxy_pass http://backend; }
  }
  server {
    listen 127.0.0.1:${tlsPort};
    location / {
      proxy_pass https://secure;
      proxy_ssl_name 127.0.0.1;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${certificate};
    }
  }`,
  );
  const way = (port: number): Way => ({ name: "nginx", url: `http://127.0.0.1:${port}/mcp`, prefix: "", pid });
  return { plain: way(plainPort), tls: way(tlsPort) };
}
