export function buildDirectory(root: string): string;
