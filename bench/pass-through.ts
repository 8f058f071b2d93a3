import { createServer } from "node:http";
import { Pool } from "undici";

/**
 * The least that a proxy on this platform can do, for comparison: `node:http` in front, `undici`
 * behind, the bodies handed on as they come. It judges nothing, counts nothing and records nothing.
 */
const [upstream = ""] = process.argv.slice(2);
const pool = new Pool(upstream, { connections: null, headersTimeout: 0, bodyTimeout: 0 });

const server = createServer((request, response) => {
  const { "content-length": length = "", authorization = "" } = request.headers;
  const headers = { "content-type": "application/json", "content-length": length, authorization };
  pool
    .stream(
      { path: request.url ?? "/", method: "POST", headers, body: request, opaque: null },
      ({ statusCode, headers: answered }) => {
        const { "transfer-encoding": _, connection: __, ...kept } = answered;
        response.writeHead(statusCode, kept);
        return response;
      },
    )
    .catch(() => response.destroy());
});

server.listen({ port: 0, host: "127.0.0.1", backlog: 2_048 }, () => {
  const address = server.address();
  process.send?.({ port: typeof address === "object" ? address?.port : 0 });
});
process.once("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
