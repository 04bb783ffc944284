/*
 * Socket.IO 4 (Engine.IO 4) over its websocket transport. A text begins with Engine.IO's packet type and, in a
 * message, Socket.IO's packet type and the number of the acknowledgement asked for or given.
 */
#include "loadgen.h"

#include <stdio.h>
#include <string.h>

#define EIO_OPEN "0"
#define EIO_PING "2"
#define EIO_PONG "3"
#define SIO_CONNECT "40"
#define SIO_DISCONNECT "41"
#define SIO_EVENT "42"
#define SIO_ACK "43"

static bool begins(const char *text, size_t length, const char *prefix) {
    return length >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

static void write_path(const struct connection *connection, char *out, size_t size) {
    (void)connection;
    snprintf(out, size, "/socket.io/?EIO=4&transport=websocket");
}

/* The server speaks first. */
static void opened(struct connection *connection) {
    (void)connection;
}

static void emit(struct connection *connection, const char *event, const char *name, int number) {
    char text[160];
    int length = snprintf(text, sizeof text, SIO_EVENT "%llu[\"%s\",\"%s-%s%d\"]",
                          (unsigned long long)connection->next_id++, event, options.run, name, number);
    websocket_send_text(connection, text, (size_t)length);
}

static void enter(struct connection *connection, const char *text, size_t length) {
    if (begins(text, length, EIO_OPEN)) {
        websocket_send_text(connection, SIO_CONNECT, strlen(SIO_CONNECT));
    } else if (begins(text, length, SIO_CONNECT)) {
        emit(connection, "login", "u", connection->index);
    } else if (begins(text, length, SIO_ACK)) {
        if (connection->state == STATE_LOGGING_IN && connection->room >= 0) {
            connection->state = STATE_JOINING;
            emit(connection, "join", "r", connection->room);
        } else {
            connection_ready(connection);
        }
    }
}

static void received(struct connection *connection, const char *text, size_t length, uint64_t now) {
    if (begins(text, length, EIO_PING))
        websocket_send_text(connection, EIO_PONG, strlen(EIO_PONG));
    else if (connection->state != STATE_READY)
        enter(connection, text, length);
    else if (begins(text, length, SIO_ACK))
        load_acknowledged(connection, connection->sent_us, now);
    else
        load_deliveries(connection, text, length, now);
}

static void send_message(struct connection *connection, const char *message, size_t length) {
    static char text[66000];
    int size = snprintf(text, sizeof text, SIO_EVENT "%llu[\"msg\",\"%s-r%d\",%.*s]",
                        (unsigned long long)connection->next_id++, options.run, connection->room, (int)length,
                        message);
    websocket_send_text(connection, text, (size_t)size);
}

static void goodbye(struct connection *connection) {
    websocket_send_text(connection, SIO_DISCONNECT, strlen(SIO_DISCONNECT));
    websocket_send_close(connection);
}

const struct protocol protocol_socketio = {
    .name = "socketio",
    .message_head = "{\"type\":\"TEXT\",\"text\":\"",
    .message_tail = "\"}",
    .write_path = write_path,
    .opened = opened,
    .received = received,
    .send_message = send_message,
    .goodbye = goodbye,
};
