export { inverseFrequencies, rotaryAngles, type RotatedHeads } from "./angles.ts";
export { ropeFromGguf, layerRopesFromGguf, type GgufHeader, type GgufRopeFacts } from "./gguf.ts";
export { parseLayerRopes, parseRope, type RopeDialect } from "./read.ts";
export { rotatedSize, type Rope, type RopeScaling } from "./rope.ts";
export { writeLayerRopes, writeRope } from "./write.ts";
export { refuseForLlamaCpp, ropeToGguf } from "./write-gguf.ts";
