import { cpus } from "node:os";

/** The processor's name, as the operating system tells it. */
export function processorName(): string {
  const model = cpus()[0]?.model.trim();
  return model === undefined || model === "" || model === "unknown" ? `CPU (${process.arch})` : model;
}
