import { bodyOf, type ReadRelease, type ReleaseFile, sortedByPath } from "./files.ts";

export const RELEASE = {
  name: "meridian",
  version: "1.0.0",
  model: { id: "m", digest: "sha256:00000000", fingerprint: "0123456789abcdef" },
  embedding: { id: "lexical", dimensions: 8, fingerprint: "fedcba9876543210" },
  policy: { requestsPerMinute: 60, maxOutputTokens: 100 },
};

export const POLICY = {
  name: "house",
  workflows: ["support"],
  safety: [{ name: "weapons", phrases: ["build a bomb", "nerve agent"] }],
  tools: { allow: ["search", "calendar"] },
  tenants: { acme: { requestsPerMinute: 6 } },
};

export function yaml(path: string, data: unknown): ReleaseFile {
  return { path, data, text: null };
}

export function prompt(name: string, text: string, head: object = {}): ReleaseFile {
  return { path: `prompts/${name}.md`, data: { name, ...head }, text };
}

export const FILES: readonly ReleaseFile[] = [
  yaml("release.yaml", RELEASE),
  prompt("support", "You work for {{tenant}}.\n\n{{documents}}"),
  prompt("plain", "Be brief."),
  yaml("routes/support.yaml", { workflow: "support", prompt: "support" }),
  yaml("policies/house.yaml", POLICY),
  yaml("evaluation.yaml", { canary: { requests: 30 } }),
];

/** A release of these files in place of, and beside, those above. */
export function releaseWith(...changed: readonly ReleaseFile[]): ReadRelease {
  const paths = new Set(changed.map(({ path }) => path));
  const files = sortedByPath([...FILES.filter(({ path }) => !paths.has(path)), ...changed]);
  return { files, body: bodyOf(files) };
}

export function without(path: string): ReadRelease {
  const files = sortedByPath(FILES.filter((file) => file.path !== path));
  return { files, body: bodyOf(files) };
}
