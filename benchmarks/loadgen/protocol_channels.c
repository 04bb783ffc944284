/*
 * The chat of Channels' tutorial: one socket to a room, which is in the URL; a message is {"message": text}.
 * The consumer sends a message to its sender as well; coming back it stands for an acknowledgement.
 */
#include "loadgen.h"

#include <stdio.h>

static void write_path(const struct connection *connection, char *out, size_t size) {
    snprintf(out, size, "%s%s-r%d/", options.path, options.run, connection->room < 0 ? 0 : connection->room);
}

/* The tutorial's consumer joins before it accepts, so an open socket is a member. */
static void opened(struct connection *connection) {
    connection_ready(connection);
}

static void received(struct connection *connection, const char *text, size_t length, uint64_t now) {
    load_deliveries(connection, text, length, now);
}

const struct protocol protocol_channels = {
    .name = "channels",
    .message_head = "{\"message\":\"",
    .message_tail = "\"}",
    .write_path = write_path,
    .opened = opened,
    .received = received,
    .send_message = websocket_send_text,
    .goodbye = websocket_send_close,
};
