export function describeSpecs(environment: { name: string; backendName: string; isDataSync: boolean }): Promise<void>;
