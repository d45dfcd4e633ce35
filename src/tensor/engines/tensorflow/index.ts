export { probeTensorflowEngine, startTensorflowEngine } from "./tensorflow.ts";
