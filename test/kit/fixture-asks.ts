// What the tools of both fixture servers ask of a client: sampling, elicitation by form and by URL, roots.
import type { ElicitRequestFormParams, ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import { stringArg } from "./fixture-world.ts";
import type { Arguments } from "./fixture-world.ts";

/** A tool that asks once and returns the client's answer as JSON text. */
export interface Ask {
  readonly name: string;
  readonly description: string;
  readonly request: (args: Arguments) => ServerRequest;
}

/** One question of the tools `survey` and `ask-all`. */
export interface SurveyStep {
  readonly key: string;
  readonly request: (args: Arguments) => ServerRequest;
}

/** Asks the client's model. */
export const askSampling = (args: Arguments): ServerRequest => ({
  method: "sampling/createMessage",
  params: {
    messages: [{ role: "user", content: { type: "text", text: stringArg(args, "prompt", "hello") } }],
    maxTokens: 100,
  },
});

/** A form with one required field. */
export function formOf(message: string, field: string, type: "string" | "boolean" = "string"): ServerRequest {
  const properties = { [field]: type === "string" ? { type } : { type } };
  return {
    method: "elicitation/create",
    params: { mode: "form", message, requestedSchema: { type: "object", properties, required: [field] } },
  };
}

const askForm = (args: Arguments): ServerRequest => formOf(stringArg(args, "message", "Your name?"), "name");

const askUrl = (args: Arguments): ServerRequest => ({
  method: "elicitation/create",
  params: {
    mode: "url",
    message: stringArg(args, "message", "Please sign in"),
    url: stringArg(args, "url", "https://example.com/sign-in"),
    elicitationId: stringArg(args, "elicitationId", "elicitation-1"),
  },
});

const askRoots = (): ServerRequest => ({ method: "roots/list" });

/** The tools that ask one question. */
export const asks: readonly Ask[] = [
  { name: "ask-sampling", description: "Returns the client's answer to sampling/createMessage", request: askSampling },
  { name: "ask-elicitation", description: "Returns the client's answer to a form elicitation", request: askForm },
  { name: "ask-elicitation-url", description: "Returns the client's answer to a URL elicitation", request: askUrl },
  { name: "ask-roots", description: "Returns the client's answer to roots/list", request: askRoots },
];

/** Three questions of three kinds, in the order in which `survey` asks them. */
export const surveySteps: readonly SurveyStep[] = [
  { key: "name", request: askForm },
  { key: "opinion", request: askSampling },
  { key: "places", request: askRoots },
];

/** A form that a tool of the suite shows. */
export interface Form {
  readonly name: string;
  readonly description: string;
  readonly params: (args: Arguments) => ElicitRequestFormParams;
}

type FormSchema = ElicitRequestFormParams["requestedSchema"];

const titled = (titles: Readonly<Record<string, string>>): { const: string; title: string }[] =>
  Object.entries(titles).map(([value, title]) => ({ const: value, title }));

const addressForm: FormSchema = {
  type: "object",
  properties: {
    username: { type: "string", description: "User's response" },
    email: { type: "string", description: "User's email address" },
  },
  required: ["username", "email"],
};

const defaultsForm: FormSchema = {
  type: "object",
  properties: {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
  },
};

const choicesForm: FormSchema = {
  type: "object",
  properties: {
    untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
    titledSingle: {
      type: "string",
      oneOf: titled({ value1: "First Option", value2: "Second Option", value3: "Third Option" }),
    },
    legacyEnum: {
      type: "string",
      enum: ["opt1", "opt2", "opt3"],
      enumNames: ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
    titledMulti: {
      type: "array",
      items: { anyOf: titled({ value1: "First Choice", value2: "Second Choice", value3: "Third Choice" }) },
    },
  },
};

function defineForm(name: string, description: string, message: string, requestedSchema: FormSchema): Form {
  const params: Form["params"] = (args) => ({
    mode: "form",
    message: stringArg(args, "message", message),
    requestedSchema,
  });
  return { name, description, params };
}

/** The forms of the suite. */
export const forms: readonly Form[] = [
  defineForm("test_elicitation", "Asks the user for a name and an address", "", addressForm),
  defineForm(
    "test_elicitation_sep1034_defaults",
    "Asks with a default for every primitive type",
    "Check these values",
    defaultsForm,
  ),
  defineForm("test_elicitation_sep1330_enums", "Asks with every form of a choice", "Choose", choicesForm),
];

/** A tool of the suite that asks its questions in one round. */
export interface RoundTool {
  readonly name: string;
  readonly questions: Readonly<Record<string, ServerRequest>>;
  /** Leaves a state with the client, where the era has one. */
  readonly sealed: boolean;
}

const userName = { user_name: formOf("What is your name?", "name") };
const confirm = { confirm: formOf("Please confirm", "ok", "boolean") };

/** A question for the client's model. */
export const capitalQuestion: ServerRequest = askSampling({ prompt: "What is the capital of France?" });

/** The tools of the suite that ask their questions in one round. */
export const roundTools: readonly RoundTool[] = [
  { name: "elicitation", questions: userName, sealed: false },
  { name: "sampling", questions: { capital_question: capitalQuestion }, sealed: false },
  { name: "list_roots", questions: { client_roots: askRoots() }, sealed: false },
  { name: "request_state", questions: confirm, sealed: true },
  {
    name: "multiple_inputs",
    questions: { ...userName, greeting: capitalQuestion, client_roots: askRoots() },
    sealed: true,
  },
  { name: "tampered_state", questions: confirm, sealed: true },
];

/** The prompt of the suite that asks before it answers, and its question. */
export const askingPrompt: { name: string; description: string; questions: Readonly<Record<string, ServerRequest>> } = {
  name: "test_input_required_result_prompt",
  description: "A prompt that asks first",
  questions: { user_context: formOf("What context should the prompt use?", "context") },
};
