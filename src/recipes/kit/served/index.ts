export { type ServedDraw } from "./draw.ts";
export { drawServed, policyName } from "./policy-server.ts";
