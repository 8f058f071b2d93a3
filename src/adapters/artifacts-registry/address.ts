import { TideoverError } from "../../lib/errors.ts";

/** One repository of one registry. */
export interface RepositoryAddress {
  /** `https://host:port`. */
  readonly origin: string;
  /** `team/app`. */
  readonly repository: string;
}

/** OCI's grammar of a repository name. */
const REPOSITORY = /^[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/;

/** Reads `https://host:port/team/app` (or `http://`). Throws USAGE. */
export function parseRepository(url: string): RepositoryAddress {
  const parsed = URL.parse(url);
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol)) {
    throw wrong(url, "it is no address of a registry");
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw wrong(shownUrl(parsed), "it holds a password, which would stand in logs and lists");
  }
  const repository = parsed.pathname.replace(/^\/+|\/+$/g, "");
  if (!REPOSITORY.test(repository)) {
    throw wrong(url, `"${repository}" is no name of a repository`);
  }
  return { origin: parsed.origin, repository };
}

function shownUrl(url: URL): string {
  return `${url.protocol}//…@${url.host}${url.pathname}`;
}

function wrong(url: string, what: string): TideoverError {
  return new TideoverError(`${url}: ${what}`, {
    code: "USAGE",
    next: "Write it as https://host[:port]/team/app (http:// for one without TLS), and the password into an environment variable.",
  });
}
