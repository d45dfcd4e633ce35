/** The linear maps that a layer may have, in their order in it. `qkv` and `gate-up` are several in one matrix. */
export const projectionNames = ["q", "k", "v", "qkv", "o", "gate", "up", "gate-up", "down"] as const;
