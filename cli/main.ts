#!/usr/bin/env bun
// The program: finds the command, parses its flags strictly, runs it, and turns failures into exit codes.

import process from "node:process";
import { run } from "./run.ts";

process.exitCode = await run(process.argv.slice(2));
