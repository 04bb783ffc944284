// The peer that the ratios are against: rooms on Socket.IO 4, in memory, over its websocket transport.
// Usage: node server.js PORT
const { Server } = require("socket.io");

const io = new Server(Number(process.argv[2]), {
  transports: ["websocket"],
  perMessageDeflate: false,
  serveClient: false,
});

io.on("connection", (socket) => {
  socket.on("login", (uid, done) => {
    socket.data.uid = uid;
    done();
  });
  socket.on("join", (room, done) => {
    socket.join(room);
    done();
  });
  socket.on("msg", (room, message, done) => {
    socket.to(room).emit("msg", message);
    done();
  });
});

process.on("SIGTERM", () => process.exit(0));
