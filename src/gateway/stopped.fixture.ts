import { createServer } from "node:http";

/**
 * A model server in a process of its own, which a test can stop like any process. It takes a little
 * for each answer, and lists its models at once. Its backlog is short, so that a test can fill it:
 * from then on a connection to it is not made, as when packets are dropped.
 */
const ANSWER_MS = 150;

const server = createServer((request, response) => {
  if (request.method === "GET") {
    response.end("{}");
    return;
  }
  request.resume().on("end", () => {
    setTimeout(() => {
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({
          id: "chatcmpl-1",
          object: "chat.completion",
          created: 1,
          model: "m",
          choices: [
            {
              index: 0,
              message: { role: "assistant", content: "the answer of the process" },
              finish_reason: "stop",
            },
          ],
        }),
      );
    }, ANSWER_MS);
  });
});

server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
  const address = server.address();
  process.send?.(typeof address === "object" ? (address?.port ?? 0) : 0);
});
process.once("disconnect", () => process.exit(0));
