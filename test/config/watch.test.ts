// Watching: what counts as a change, and that nobody reads half of a file.

import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { watchFiles } from "../../lib/config/watch.ts";
import { every } from "../../lib/core/scope.ts";
import { createFolder } from "./kit.ts";

const quick = { intervalMs: 10, restMs: 100 };

/** Watches and keeps what the file held at each change. */
function watch(file: string) {
  const seen: string[] = [];
  let wake = (): void => {};
  const watcher = watchFiles(
    [file],
    () => {
      seen.push(readFileSync(file, "utf8"));
      wake();
    },
    quick,
  );
  const next = async (count: number): Promise<string[]> => {
    while (seen.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return seen;
  };
  return { seen, next, [Symbol.dispose]: () => watcher[Symbol.dispose]() };
}

/** Resolves after so many turns of the clock that a watcher has looked at least that often. */
function looks(count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const stop = every(quick.intervalMs, () => {
      left--;
      if (left > 0) return;
      stop();
      resolve();
    });
  });
}

test("watch: an atomic rename is a change, and a whole file", async () => {
  using folder = createFolder({ "a.yaml": "one" });
  const file = join(folder.path, "a.yaml");
  using watched = watch(file);
  for (const [index, text] of ["two", "six"].entries()) {
    writeFileSync(join(folder.path, "new"), text);
    renameSync(join(folder.path, "new"), file);
    assert.equal((await watched.next(index + 1)).at(-1), text);
  }
  await looks(15);
  assert.deepEqual(watched.seen, ["two", "six"]);
});

test("watch: a symlink that points elsewhere is a change, as in a mounted config map", async () => {
  using folder = createFolder({ "v1/a.yaml": "one", "v2/a.yaml": "one", "v3/a.yaml": "three" });
  const at = (name: string): string => join(folder.path, name);
  symlinkSync("v1", at("..data"));
  symlinkSync("..data/a.yaml", at("a.yaml"));
  const time = new Date(1_000_000);
  for (const version of ["v1", "v2", "v3"]) utimesSync(at(`${version}/a.yaml`), time, time);
  using watched = watch(at("a.yaml"));
  for (const [index, version] of ["v2", "v3"].entries()) {
    symlinkSync(version, at("..data_tmp"));
    renameSync(at("..data_tmp"), at("..data"));
    await watched.next(index + 1);
  }
  assert.deepEqual(watched.seen, ["one", "three"]);
});

test("watch: a file that is written bit by bit is read when it rests", async () => {
  using folder = createFolder({ "a.yaml": "old" });
  const file = join(folder.path, "a.yaml");
  using watched = watch(file);
  writeFileSync(file, "");
  for (let part = 0; part < 10; part++) {
    appendFileSync(file, `${part}\n`);
    await looks(3);
  }
  assert.deepEqual(await watched.next(1), ["0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"]);
  await looks(15);
  assert.equal(watched.seen.length, 1);
});

test("watch: a file that is gone is no change, and its return is one", async () => {
  using folder = createFolder({ "a.yaml": "old" });
  const file = join(folder.path, "a.yaml");
  using watched = watch(file);
  rmSync(file);
  await looks(15);
  assert.deepEqual(watched.seen, []);
  // Takes the number of the old inode, so that the file comes back as another one.
  writeFileSync(join(folder.path, "other"), "");
  writeFileSync(file, "ne");
  await looks(3);
  appendFileSync(file, "w!");
  assert.deepEqual(await watched.next(1), ["new!"]);
});

test("watch: an untouched file is silent, and so is a watcher after its end", async () => {
  using folder = createFolder({ "a.yaml": "old", "b.yaml": "old" });
  const file = join(folder.path, "a.yaml");
  const watched = watch(file);
  await looks(15);
  assert.deepEqual(watched.seen, []);
  watched[Symbol.dispose]();
  watched[Symbol.dispose]();
  renameSync(join(folder.path, "b.yaml"), file);
  await looks(15);
  assert.deepEqual(watched.seen, []);
});

test("watch: changes during a slow reload are told afterwards, one at a time", async () => {
  using folder = createFolder({ "a.yaml": "0", "b.yaml": "0" });
  const files = ["a.yaml", "b.yaml"].map((name) => join(folder.path, name));
  let [running, most, calls] = [0, 0, 0];
  const done = Promise.withResolvers<void>();
  const replace = (file: string | undefined, text: string): void => {
    writeFileSync(join(folder.path, "new"), text);
    renameSync(join(folder.path, "new"), file ?? "");
  };
  using _ = watchFiles(
    files,
    async () => {
      running++;
      calls++;
      most = Math.max(most, running);
      if (calls === 1) replace(files[1], "changed while reading");
      await looks(10);
      running--;
      if (calls === 2) done.resolve();
      throw new Error("the watcher lives on");
    },
    quick,
  );
  replace(files[0], "1");
  await done.promise;
  assert.deepEqual([most, calls], [1, 2]);
  mkdirSync(join(folder.path, "unrelated"));
});
