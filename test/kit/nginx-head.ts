// How a config of nginx begins that logs nothing and keeps what it writes in a folder of its own.
import process from "node:process";

/** Up to the inside of `http {`. */
export function nginxHead(folder: string): string {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 16000; }
http {
  access_log off;
  ${paths.map((path) => `${path}_temp_path ${folder}/${path};`).join("\n  ")}
  client_max_body_size 64m;`;
}
