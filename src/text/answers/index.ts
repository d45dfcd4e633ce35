export { finalAnswer } from "./final-answer.ts";
export { sameAnswer } from "./same-answer.ts";
