#!/bin/sh
# Puts all that the container has into a folder: the binary, the libraries that it is linked with, and a user without rights.
# Usage: deploy/rootfs.sh BINARY FOLDER
set -eu
binary=$1
folder=$2

mkdir -p "$folder/dev" "$folder/etc/mcpctl" "$folder/proc" "$folder/tmp" "$folder/var/lib/mcpctl"
chmod 1777 "$folder/tmp"
install -m 0755 "$binary" "$folder/mcpctl"
ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
  install -D -m 0755 "$library" "$folder$library"
done
printf 'mcpctl:x:65532:65532::/var/lib/mcpctl:/mcpctl\n' > "$folder/etc/passwd"
printf 'mcpctl:x:65532:\n' > "$folder/etc/group"
printf 'hosts: files dns\n' > "$folder/etc/nsswitch.conf"
# Only root may give things away; elsewhere, all belongs to who builds.
if [ "$(id -u)" -eq 0 ]; then chown 65532:65532 "$folder/var/lib/mcpctl"; fi
