export { type OrealArm } from "./work.ts";
export { runOreal, type OrealOptions } from "./comparison.ts";
export { orealValues, settingsOf } from "./objective.ts";
