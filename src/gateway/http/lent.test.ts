import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { lentTo } from "./lent.ts";

/** A wait that never ends is a failure: it must not keep the whole run. */
const BOUND = { timeout: 10_000 };

/** A server, and whoever called it, which are gone with the test, however that ended. */
async function listening(t: TestContext, onSocket: (accepted: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, onSocket).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const call = (): Socket => {
    const socket = connect(port, "127.0.0.1").setEncoding("utf8");
    sockets.push(socket);
    return socket;
  };
  return { server, call };
}

test(
  "connections that were accepted read into one memory, and are written and ended as others",
  BOUND,
  async (t) => {
    const memories = new Set<ArrayBufferLike>();
    const { server, call } = await listening(t, (accepted) => {
      const socket = lentTo((bytes, count) => {
        memories.add(bytes.buffer);
        socket.end(bytes.toString("latin1", 0, count).toUpperCase());
      }, accepted);
    });
    const answers = await Promise.all(
      ["first", "second"].map(async (word) => {
        const socket = call();
        socket.write(word);
        let answer = "";
        for await (const piece of socket) answer += piece;
        return answer;
      }),
    );
    assert.deepEqual(answers, ["FIRST", "SECOND"]);
    assert.equal(memories.size, 1);
    server.close();
    await once(server, "close");
  },
);

test("a server is not closed before the last connection that was moved is", BOUND, async (t) => {
  const moved = Promise.withResolvers<Socket>();
  const { server, call } = await listening(t, (accepted) => {
    moved.resolve(lentTo(() => undefined, accepted));
  });
  const caller = call();
  const socket = await moved.promise;
  let closed = false;
  server.close(() => {
    closed = true;
  });
  // Said and heard: whatever the closing did by itself is done by then.
  const heard = once(caller, "data");
  socket.write("still here");
  await heard;
  assert.equal(closed, false);
  const over = once(server, "close");
  socket.destroy();
  await over;
});

test("a connection that is not kept as it was so far reads as usual", BOUND, async (t) => {
  const { call } = await listening(t, (accepted) => {
    Object.assign(accepted, { _server: null });
    const socket = lentTo(
      (bytes, count) => socket.end(bytes.toString("latin1", 0, count)),
      accepted,
    );
    assert.equal(socket, accepted);
  });
  const caller = call();
  caller.write("as usual");
  const [answer] = await once(caller, "data");
  assert.equal(answer, "as usual");
});

test("nothing is read of a connection that is paused until it is resumed", BOUND, async (t) => {
  const moved = Promise.withResolvers<Socket>();
  let came = "";
  const { call } = await listening(t, (accepted) => {
    const socket = lentTo((bytes, count) => {
      came += bytes.toString("latin1", 0, count);
      socket.emit("came");
    }, accepted);
    moved.resolve(socket);
  });
  const caller = call();
  caller.write("a");
  const socket = await moved.promise;
  if (came === "") await once(socket, "came");
  socket.pause();
  caller.write("b");
  // A connection of later, read to its end: what was on its way to the paused one is here.
  const later = call();
  await once(later, "connect");
  assert.equal(came, "a");
  const more = once(socket, "came");
  socket.resume();
  await more;
  assert.equal(came, "ab");
});
