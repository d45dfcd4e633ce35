import { availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";
import { processorName } from "../../src/tensor/engines/processor.ts";

/** What the figures were taken on. */
export interface MachineDescription {
  processor: string;
  cores: number;
  memoryGB: number;
  system: string;
  node: string;
}

export function describeMachine(): MachineDescription {
  return {
    processor: processorName(),
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    system: `${platform()} ${release()} (${process.arch})`,
    node: process.versions.node,
  };
}

/** Load average of the last minute; 0 where the system has none (Windows). */
export function loadNow(): number {
  return loadavg()[0]!;
}

/** CPU seconds that all processes together have used since the machine started. */
export function busySeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}
