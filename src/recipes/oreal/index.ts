export { type OrealArm } from "./work.ts";
export { runOreal } from "./comparison.ts";
export { orealValues, settingsOf } from "./objective.ts";
