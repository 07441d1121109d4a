// The tasks extension of the modern fixture server, which the SDK does not have: tools that become tasks, and their store.
import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import type { Result, ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import { formOf } from "./fixture-asks.ts";
import { AnswerError } from "./fixture-plain-tools.ts";
import { defineTool, numberArg, stringArg, text } from "./fixture-world.ts";
import type { Arguments } from "./fixture-world.ts";
import type { ModernTool } from "./modern-world.ts";

/** The extension's name among capabilities. */
export const tasksExtension = "io.modelcontextprotocol/tasks";

type Status = "working" | "input_required" | "completed" | "failed" | "cancelled";
type Responses = Readonly<Record<string, unknown>>;

interface Task {
  readonly taskId: string;
  readonly createdAt: string;
  readonly abort: AbortController;
  /** Questions without an answer. */
  readonly open: Map<string, ServerRequest>;
  readonly answers: Map<string, unknown>;
  lastUpdatedAt: string;
  status: Status;
  outcome: { result?: Result; error?: object };
  /** Tells those who listen to this task. */
  readonly changed: () => void;
  /** Wakes the work when nothing is open any more. */
  resume: () => void;
}

/** What the work of a task may use. */
interface Working {
  readonly args: Arguments;
  readonly signal: AbortSignal;
  /** Asks the client and waits for all answers. */
  readonly ask: (requests: Readonly<Record<string, ServerRequest>>) => Promise<Responses>;
}

type Work = (working: Working) => Promise<Result>;

const ttlMs = 300_000;
const pollIntervalMs = 50;

async function compute({ args, signal }: Working): Promise<Result> {
  await pause(numberArg(args, "seconds", 0) * 1000, undefined, { signal });
  return text(`Computed ${stringArg(args, "label", "")}`);
}

const works: Readonly<Record<string, Work>> = {
  slow_compute: compute,
  failing_job: () => Promise.reject(new Error("The job failed")),
  protocol_error_job: () => Promise.reject(new AnswerError(-32603, "The job broke", undefined)),
  confirm_delete: async ({ args, ask }) => {
    const answers = await ask({ confirm: formOf(`Delete ${stringArg(args, "filename", "")}?`, "confirm", "boolean") });
    return text(`Deleted after ${JSON.stringify(answers)}`);
  },
  multi_input: async ({ ask }) => {
    const answers = await ask({ first: formOf("First name?", "name"), second: formOf("Last name?", "name") });
    return text(`Heard ${JSON.stringify(answers)}`);
  },
  // Its question is asked before there is a task, so the answer is among the arguments.
  test_tool_with_task: ({ args }) => Promise.resolve(text(`Hello ${JSON.stringify(args["user_name"])}`)),
};

/** The question that a tool asks before it becomes a task, by tool. */
export const questionsFirst: Readonly<Record<string, Readonly<Record<string, ServerRequest>>>> = {
  test_tool_with_task: { user_name: formOf("What is your name?", "name") },
};

/** All tasks of one process. */
export class TaskStore {
  readonly #tasks = new Map<string, Task>();
  /** Emits the id of a task whenever its status changes. */
  readonly events: EventEmitter = new EventEmitter();

  /** True if a call of this tool becomes a task. */
  has(tool: string): boolean {
    return Object.hasOwn(works, tool);
  }

  /** Starts the work and describes its task; the task can be found before this returns. */
  start(tool: string, args: Arguments): Result {
    const now = new Date().toISOString();
    const task: Task = {
      taskId: randomUUID(),
      createdAt: now,
      lastUpdatedAt: now,
      status: "working",
      abort: new AbortController(),
      open: new Map(),
      answers: new Map(),
      outcome: {},
      changed: () => this.events.emit("changed", task.taskId),
      resume: () => {},
    };
    this.#tasks.set(task.taskId, task);
    const ask: Working["ask"] = (requests) => askOf(task, requests);
    const work = works[tool] ?? compute;
    work({ args, signal: task.abort.signal, ask }).then(
      (result) => settle(task, "completed", { result: { resultType: "complete", ...result } }),
      (error: unknown) => fail(task, error),
    );
    return { resultType: "task", ...summary(task) };
  }

  /** What `tasks/get` says, or nothing for an unknown task. */
  get(taskId: string): Result | undefined {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return undefined;
    const questions = task.status === "input_required" ? { inputRequests: Object.fromEntries(task.open) } : {};
    return { resultType: "complete", ...summary(task), ...task.outcome, ...questions };
  }

  /** Takes answers to open questions and ignores others; false for an unknown task. */
  update(taskId: string, responses: Responses): boolean {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return false;
    for (const [key, response] of Object.entries(responses)) {
      if (task.open.delete(key)) task.answers.set(key, response);
    }
    if (task.status === "input_required" && task.open.size === 0) {
      touch(task, "working");
      task.resume();
    }
    return true;
  }

  /** Ends a task that still runs; false for an unknown task. */
  cancel(taskId: string): boolean {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return false;
    settle(task, "cancelled", {});
    task.abort.abort();
    return true;
  }
}

function summary({ taskId, status, createdAt, lastUpdatedAt }: Task): Result {
  return { taskId, status, createdAt, lastUpdatedAt, ttlMs, pollIntervalMs };
}

function touch(task: Task, status: Status): void {
  task.status = status;
  task.lastUpdatedAt = new Date().toISOString();
  task.changed();
}

function settle(task: Task, status: Status, outcome: Task["outcome"]): void {
  // A settled task never changes again: work that ends after its cancellation has no say.
  if (task.status !== "working" && task.status !== "input_required") return;
  task.outcome = outcome;
  touch(task, status);
}

function fail(task: Task, error: unknown): void {
  if (error instanceof AnswerError) settle(task, "failed", { error: { code: error.code, message: error.message } });
  else settle(task, "completed", { result: { resultType: "complete", ...text(String(error)), isError: true } });
}

function askOf(task: Task, requests: Readonly<Record<string, ServerRequest>>): Promise<Responses> {
  for (const [key, request] of Object.entries(requests)) task.open.set(key, request);
  touch(task, "input_required");
  return new Promise((resolve) => {
    task.resume = (): void => resolve(Object.fromEntries(task.answers));
  });
}

const needed = { requiredCapabilities: { extensions: { [tasksExtension]: {} } } };

/** Runs where the client has not declared the extension. */
const refuse: ModernTool["run"] = () => {
  throw new AnswerError(-32021, `The client must declare ${tasksExtension}`, needed);
};

/** The tools of the extension; a client that declares it gets a task from all but `greet`. */
export const taskTools: readonly ModernTool[] = [
  defineTool("greet", "Greets at once", ({ args }) => text(`Hello, ${stringArg(args, "name", "")}!`), {
    name: { type: "string" },
  }),
  defineTool<Parameters<ModernTool["run"]>[0]>(
    "slow_compute",
    "Takes `seconds`, as a task if the client knows tasks",
    ({ args, ctx }) => compute({ args, signal: ctx.mcpReq.signal, ask: () => Promise.resolve({}) }),
    { seconds: { type: "number" }, label: { type: "string" } },
  ),
  ...["failing_job", "protocol_error_job", "confirm_delete", "multi_input", "test_tool_with_task"].map((name) =>
    defineTool(name, "Runs as a task only", refuse),
  ),
];
