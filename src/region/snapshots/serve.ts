import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isDigest } from "../../model/artifact-parts.ts";
import type { ArtifactStore } from "../../ports/artifacts.ts";
import { AGENT_PATHS } from "../../wire/headers.ts";
import type { World } from "../world.ts";

const REPOSITORY = AGENT_PATHS.artifactsOf.slice(1);
const MANIFEST = new RegExp(`^/v2/${REPOSITORY}/manifests/([^/]+)$`);
const BLOB = new RegExp(`^/v2/${REPOSITORY}/blobs/(sha256:[0-9a-f]{64})$`);
const TAGS = `/v2/${REPOSITORY}/tags/list`;

/**
 * This region's own artifacts, as far as OCI's distribution API reads: manifests, blobs (also from
 * a byte on) and tags. So other regions copy snapshots by the same code as from any registry, and
 * so does any OCI tool that is given the estate's token. Bytes go out as they lie here: who reads
 * compares them.
 */
export async function serveArtifacts(
  { options }: World,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const own = options.snapshots?.own;
  const reads = request.method === "GET" || request.method === "HEAD";
  if (own === undefined || !reads) return refuse(response, own === undefined ? 404 : 405);
  const manifest = MANIFEST.exec(path)?.[1];
  const blob = BLOB.exec(path)?.[1];
  if (path === "/v2/") sendJson(request, response, {});
  else if (path === TAGS) sendJson(request, response, { name: REPOSITORY, tags: await own.tags() });
  else if (manifest !== undefined) await sendManifest(own, request, response, manifest);
  else if (blob !== undefined) await sendBlob(own, request, response, blob);
  else refuse(response, 404);
}

function refuse(response: ServerResponse, status: 404 | 405 | 416): void {
  const code = status === 405 ? "UNSUPPORTED" : "NAME_UNKNOWN";
  const body = JSON.stringify({ errors: [{ code, message: "there is no such thing here" }] });
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body);
}

function sendJson(request: IncomingMessage, response: ServerResponse, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function sendManifest(
  own: ArtifactStore,
  request: IncomingMessage,
  response: ServerResponse,
  ref: string,
): Promise<void> {
  const found = await own.manifest(ref);
  if (found === null) return refuse(response, 404);
  response.writeHead(200, {
    "content-type": found.mediaType,
    "content-length": found.bytes.length,
    "docker-content-digest": found.digest,
  });
  response.end(request.method === "HEAD" ? undefined : found.bytes);
}

async function sendBlob(
  own: ArtifactStore,
  request: IncomingMessage,
  response: ServerResponse,
  digest: string,
): Promise<void> {
  if (!isDigest(digest) || !(await own.has(digest))) return refuse(response, 404);
  const from = rangeStart(request.headers.range);
  if (from === null) return refuse(response, 416);
  const partial = request.headers.range === undefined ? 200 : 206;
  response.writeHead(partial, {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    // The size is not told by the port; who asks knows it from the manifest.
    ...(partial === 206 ? { "content-range": `bytes ${from}-*/*` } : {}),
  });
  if (request.method === "HEAD") return void response.end();
  await pour(own, digest, from, response);
}

/** 0 without the header; null for ranges that are not `bytes=N-`. */
function rangeStart(range: string | undefined): number | null {
  if (range === undefined) return 0;
  const [, start] = /^bytes=(\d{1,15})-\d*$/.exec(range) ?? [];
  return start === undefined ? null : Number(start);
}

async function pour(
  own: ArtifactStore,
  digest: string,
  from: number,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  // Its reader may have left before we listened: then neither event ever comes.
  if (response.destroyed) return;
  try {
    const descriptor = { digest, size: 0, mediaType: "application/octet-stream" };
    for await (const chunk of own.blob(descriptor, from)) {
      if (gone.signal.aborted) return;
      if (!response.write(chunk)) await once(response, "drain", { signal: gone.signal });
    }
    response.end();
  } catch (error) {
    // Cut off, so that nobody takes a part for the whole; or its reader has left.
    response.destroy(error instanceof Error ? error : undefined);
  }
}
