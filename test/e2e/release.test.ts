import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { imageIndexSchema, imageManifestSchema, signatureTag } from "../../src/model/artifact.ts";

const here = dirname(fileURLToPath(import.meta.url));
const MAIN = join(here, "../../src/cli/main.ts");
const EXAMPLE = join(here, "../../examples/estate/release");
const folder = mkdtempSync(join(tmpdir(), "tideover-release-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `tideover release …` in the test's folder, as a process of its own. */
function release(...args: readonly string[]): Promise<Ran> {
  const command = [MAIN, "release", ...args];
  const env = { ...process.env, COSIGN_PASSWORD: "open sesame", NO_COLOR: "1" };
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: folder, env }, (error, out, err) => {
      const code = typeof error?.code === "number" ? error.code : error ? -1 : 0;
      resolve({ code, out, err });
    });
  });
}

async function json(...args: readonly string[]) {
  const { code, out } = await release(...args, "--json");
  return { code, value: JSON.parse(out) };
}

const inFolder = (path: string): string => join(folder, path);
const blob = (digest: string): Buffer =>
  readFileSync(inFolder(join("layout/blobs/sha256", digest.slice("sha256:".length))));

let digest = "";

before(async () => {
  cpSync(EXAMPLE, inFolder("release"), { recursive: true });
  const built = await json("build", "release", "-o", "layout");
  digest = built.value.digest;
  assert.equal(built.code, 0);
  assert.equal((await release("keygen")).code, 0);
  assert.equal((await release("sign", "layout", "--key", "cosign.key")).code, 0);
});

test("build gives the digest of the index that it writes, by tag and by digest", async () => {
  const { manifests } = imageIndexSchema.parse(
    JSON.parse(readFileSync(inFolder("layout/index.json"), "utf8")),
  );
  const tags = manifests.map(
    ({ annotations }) => annotations?.["org.opencontainers.image.ref.name"],
  );
  assert.deepEqual(tags.sort(), ["1.0.0", "latest", signatureTag(digest)].sort());
  const { value } = await json("build", "release");
  assert.deepEqual([value.digest, value.layout], [digest, null]);
});

test("keygen keeps the private key from others, and never writes over one", async () => {
  assert.equal(statSync(inFolder("cosign.key")).mode & 0o777, 0o600);
  const again = await release("keygen");
  assert.deepEqual([again.code, again.out], [2, ""]);
  assert.match(again.err, /cosign\.key is there already/);
});

test("verify says who signed what, and as which number", async () => {
  const { code, out } = await release("verify", "layout:1.0.0", "--key", "cosign.pub");
  assert.equal(code, 0);
  assert.match(out, new RegExp(`^release meridian 1\\.0\\.0  ${digest}\n`));
  assert.match(out, /every digest holds; signed by key [0-9a-f]{16} as number 1, without an end/);
});

test("openssl alone verifies the signature that stands in the layout", () => {
  const index = imageIndexSchema.parse(
    JSON.parse(readFileSync(inFolder("layout/index.json"), "utf8")),
  );
  const entry = index.manifests.find(
    ({ annotations }) =>
      annotations?.["org.opencontainers.image.ref.name"] === signatureTag(digest),
  );
  const { layers } = imageManifestSchema.parse(JSON.parse(`${blob(entry?.digest ?? "")}`));
  const [layer] = layers;
  const signature = layer?.annotations?.["dev.cosignproject.cosign/signature"] ?? "";
  const payload = blob(layer?.digest ?? "");
  assert.equal(JSON.parse(`${payload}`).critical.image["docker-manifest-digest"], digest);
  writeFileSync(inFolder("payload.json"), payload);
  writeFileSync(inFolder("payload.sig"), Buffer.from(signature, "base64"));
  const args = ["-verify", "cosign.pub", "-signature", "payload.sig", "payload.json"];
  const said = execFileSync("openssl", ["dgst", "-sha256", ...args], { cwd: folder });
  assert.equal(`${said}`, "Verified OK\n");
});

test("a refusal is a sentence and exit code 1; for machines it is a code as well", async () => {
  await release("keygen", "--output-key-prefix", "other");
  const stranger = await json("verify", "layout", "--key", "other.pub");
  assert.deepEqual([stranger.code, stranger.value.code], [1, "RELEASE_UNTRUSTED"]);
  const either = await release("verify", "layout", "--key", "other.pub", "cosign.pub");
  assert.equal(either.code, 0);
  const old = await release("verify", "layout", "--key", "cosign.pub", "--at-least", "2");
  assert.deepEqual([old.code, old.out], [1, ""]);
  assert.match(old.err, /bears release number 1, below 2\n {2}Sign it with a higher number/);
});

test("a flag that says nothing is refused before anything is done", async () => {
  const cases: [string[], RegExp][] = [
    [["sign", "layout", "--key", "none.key"], /the key none\.key cannot be read/],
    [["sign", "layout", "--key", "cosign.key", "--expires", "soon"], /"soon" is no time/],
    [["sign", "release", "--key", "cosign.key"], /release is a folder of files/],
    [["verify", "layout", "--key", "cosign.key"], /cosign\.key holds a private key/],
    [["diff", "layout", "nowhere"], /there is no release at nowhere/],
  ];
  const refuse = async ([args, expected]: [string[], RegExp]): Promise<void> => {
    const { code, err } = await release(...args);
    assert.deepEqual([code, expected.test(err)], [2, true], `${args.join(" ")}: ${err}`);
  };
  await Promise.all(cases.map(refuse));
});

test("diff tells folder and layout apart by file and field, and equal ones by nothing", async () => {
  cpSync(inFolder("release"), inFolder("next"), { recursive: true });
  const edit = (path: string, from: string, to: string): void =>
    writeFileSync(inFolder(path), readFileSync(inFolder(path), "utf8").replace(from, to));
  edit("next/release.yaml", "maxOutputTokens: 512", "maxOutputTokens: 400");
  edit("next/prompts/assistant.md", "Persona: Meri", "Persona: Bolt");
  const { code, out } = await release("diff", `layout@${digest}`, "next");
  assert.equal(code, 1);
  assert.deepEqual(out.trimEnd().split("\n"), [
    "~ prompts/assistant.md",
    "    -   6 | Persona: Meri",
    "    +   6 | Persona: Bolt",
    "~ release.yaml",
    "    policy.maxOutputTokens: 512 -> 400",
  ]);
  const same = await release("diff", "layout:latest", "release");
  assert.deepEqual([same.code, same.out], [0, `no difference: both are ${digest}\n`]);
});

test("a bad folder is refused with file, line and column, and writes nothing", async () => {
  cpSync(inFolder("release"), inFolder("bad"), { recursive: true });
  const path = inFolder("bad/prompts/assistant.md");
  writeFileSync(path, readFileSync(path, "utf8").replace("{{tenant}}", "{{tenent}}"));
  const { code, value } = await json("build", "bad", "-o", "layout", "-t", "bad");
  assert.equal(code, 2);
  assert.deepEqual(
    value.faults.map(({ file, line, instead }: Record<string, unknown>) => [file, line, instead]),
    [["bad/prompts/assistant.md", 7, "write {{tenant}}"]],
  );
  const listed = await json("list", "layout");
  assert.deepEqual(
    listed.value.map(({ tags }: Record<string, unknown>) => tags),
    [["1.0.0", "latest"]],
  );
});

test("a policy that went blank since the last build is refused until a person means it", async () => {
  cpSync(inFolder("release"), inFolder("policed"), { recursive: true });
  const policy = join("policed", "policies", "house.yaml");
  const write = (text: string): void => {
    cpSync(inFolder("release/prompts"), inFolder("policed/policies"), { recursive: true });
    writeFileSync(inFolder(policy), text);
  };
  write("name: house\ntools: { allow: [search] }\n");
  assert.equal((await release("build", "policed", "-o", "policed-layout")).code, 0);
  write("name: house\ntools: { allow: [] }\n");
  const refused = await release("build", "policed", "-o", "policed-layout");
  assert.equal(refused.code, 2);
  assert.match(refused.out, /policed\/policies\/house\.yaml:2:17 +tools\.allow: .*is empty/);
  const meant = await release("build", "policed", "-o", "policed-layout", "--accept-changes");
  assert.equal(meant.code, 0);
});

test("skopeo copies a release with its signature, and the copy verifies", async (t) => {
  if (!hasSkopeo()) return t.skip("no skopeo on this machine");
  for (const tag of ["latest", signatureTag(digest)]) {
    const args = [
      "copy",
      "--quiet",
      "--preserve-digests",
      "--all",
      `oci:layout:${tag}`,
      `oci:copied:${tag}`,
    ];
    execFileSync("skopeo", ["--insecure-policy", ...args], { cwd: folder });
  }
  const { code, value } = await json("verify", `copied@${digest}`, "--key", "cosign.pub");
  assert.deepEqual([code, value.digest], [0, digest]);
});

function hasSkopeo(): boolean {
  try {
    execFileSync("skopeo", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
