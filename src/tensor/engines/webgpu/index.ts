export { probeWebgpuEngine, releaseWebgpuEngine, startWebgpuEngine } from "./webgpu.ts";
