// The public names of logins: what `mcpctl auth login` and its like are made of.

export {
  describeLogin,
  endLogin,
  type LoginPlace,
  loginPlaceOf,
  type LoginStatus,
  readPlace,
} from "./backend/logins.ts";
export { loginFrom } from "./ops/login.ts";
