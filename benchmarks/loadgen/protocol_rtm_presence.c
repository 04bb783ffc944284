/*
 * Rostrum's presence: every member subscribes to the online states of all visitors. A change is counted as a message
 * that reaches each of them; the visitors come and go one after the other, so the changes have numbers.
 */
#include "rtm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int first_visitor(void) {
    return options.members - options.visitors;
}

static void subscribe(struct connection *connection) {
    char text[MAX_VISITORS * (RTM_UID_BYTES + 3) + 128], uid[RTM_UID_BYTES];
    size_t length = (size_t)snprintf(text, sizeof text,
                                     "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"presence.subscribe\",\"params\":"
                                     "{\"uids\":[", RTM_ENTER_ID);
    for (int i = first_visitor(); i < options.members; i++) {
        const char *comma = i > first_visitor() ? "," : "";
        rtm_write_uid(i, uid);
        length += (size_t)snprintf(text + length, sizeof text - length, "%s\"%s\"", comma, uid);
    }
    length += (size_t)snprintf(text + length, sizeof text - length, "]}}");
    websocket_send_text(connection, text, length);
}

static void enter(struct connection *connection, const char *text, const char *end) {
    if (connection->state == STATE_JOINING) {
        if (rtm_entered(connection, text, end, RTM_ENTER_ID)) connection_ready(connection);
    } else if (rtm_entered(connection, text, end, RTM_LOGIN_ID)) {
        if (connection->visits) {
            connection_ready(connection);
        } else {
            connection->state = STATE_JOINING;
            subscribe(connection);
        }
    }
}

/* A login's number is odd, the logout's after it even. */
static void read_changes(struct connection *connection, const char *text, const char *end, uint64_t now) {
    static const char changed[] = "\"presence.changed\",\"params\":{\"states\":{\"";
    for (const char *at = text; (at = rtm_find(at, end, changed)); at += strlen(changed)) {
        const char *number = rtm_find(at + strlen(changed), end, "-u");
        if (!number) return;
        char *state;
        long index = strtol(number + 2, &state, 10);
        bool online = rtm_begins(state, end, "\":\"ONLINE\"");
        if (index < first_visitor() || index >= options.members) continue;
        if (!online && !rtm_begins(state, end, "\":\"OFFLINE\"")) continue;
        figures_sequence(connection, (uint64_t)(index - first_visitor()) * 2 + (online ? 1 : 2));
        figures_delivery(connections[index].sent_us, now);
    }
}

static void received(struct connection *connection, const char *text, size_t length, uint64_t now) {
    const char *end = text + length;
    if (connection->state != STATE_READY) {
        enter(connection, text, end);
        return;
    }
    if (!connection->visits) read_changes(connection, text, end, now);
    rtm_acknowledge_bytes(connection);
}

const struct protocol protocol_rtm_presence = {
    .name = "rtm-presence",
    .write_path = rtm_write_path,
    .opened = rtm_opened,
    .received = received,
    .heartbeat = rtm_heartbeat,
    .goodbye = rtm_goodbye,
};
