import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const uploadSchema = z.object({ location: z.string() });

/**
 * Where interrupted uploads go on, kept over a kill: a file a blob. The addresses let anyone add to
 * the upload, so that only this user may read them. Without a folder nothing is kept.
 */
export class UploadJournal {
  readonly #folder: string | null;
  readonly #prefix: string;

  constructor(folder: string | null, repository: string) {
    this.#folder = folder;
    this.#prefix = repository.replaceAll(/[^a-z0-9.-]/g, "_");
  }

  async find(digest: string): Promise<string | null> {
    const path = this.#path(digest);
    if (path === null) return null;
    const text = await readFile(path, "utf8").catch(() => "{}");
    return uploadSchema.safeParse(jsonOf(text)).data?.location ?? null;
  }

  async keep(digest: string, location: string): Promise<void> {
    const path = this.#path(digest);
    if (path === null || this.#folder === null) return;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(path, JSON.stringify({ location }), { mode: 0o600 });
  }

  async forget(digest: string): Promise<void> {
    const path = this.#path(digest);
    if (path !== null) await rm(path, { force: true });
  }

  #path(digest: string): string | null {
    if (this.#folder === null) return null;
    return join(this.#folder, `${this.#prefix}-${digest.slice("sha256:".length)}.json`);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
