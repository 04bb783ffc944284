/*
 * Rostrum's peer messages. The two members of a "room" are a pair: each sends to the other. The receiver has one more
 * duty: to acknowledge its inbox after each frame that has entries of it. Then the sender is answered.
 *
 * A request's id is the moment when it was sent, so that its answer tells how long it took.
 */
#include "rtm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void send_message(struct connection *connection, const char *message, size_t length) {
    static char text[66000];
    char peer[RTM_UID_BYTES], message_id[RTM_MESSAGE_ID_BYTES];
    rtm_write_uid((connection->index + options.rooms) % options.members, peer);
    rtm_write_message_id(message_id);
    int size = snprintf(text, sizeof text,
                        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"peer.send\",\"params\":"
                        "{\"peer\":\"%s\",\"message_id\":\"%s\",\"message\":%.*s}}",
                        (unsigned long long)connection->sent_us, peer, message_id, (int)length, message);
    websocket_send_text(connection, text, (size_t)size);
}

/* That the peer has not received a message counts as refused: here it is always there. */
static void read_answers(struct connection *connection, const char *text, const char *end, uint64_t now) {
    uint64_t sent_us;
    for (const char *at = text; (at = rtm_next_id(at, end, &sent_us));) {
        if (rtm_begins(at, end, ",\"result\":{\"received\":true"))
            load_acknowledged(connection, sent_us, now);
        else if (rtm_begins(at, end, ",\"result\":{\"received\":false") || rtm_begins(at, end, ",\"error\":"))
            load_refused(connection, at, (size_t)(end - at));
    }
}

static void acknowledge_inbox(struct connection *connection, uint64_t seq) {
    char text[96];
    int length = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"inbox.ack\",\"params\":{\"seq\":%llu}}",
                          (unsigned long long)seq);
    websocket_send_text(connection, text, (size_t)length);
}

static void take_inbox(struct connection *connection, const char *text, const char *end) {
    static const char stream[] = "\"stream\":\"inbox:";
    static const char seq[] = "\"seq\":";
    uint64_t last = 0;
    for (const char *at = text; (at = rtm_find(at, end, stream)); at += strlen(stream)) {
        const char *number = rtm_find(at, end, seq);
        if (!number) break;
        last = strtoull(number + strlen(seq), NULL, 10);
        figures_sequence(connection, last);
    }
    if (last) acknowledge_inbox(connection, last);
}

static void received(struct connection *connection, const char *text, size_t length, uint64_t now) {
    const char *end = text + length;
    if (connection->state != STATE_READY) {
        if (rtm_entered(connection, text, end, RTM_LOGIN_ID)) connection_ready(connection);
        return;
    }
    take_inbox(connection, text, end);
    load_deliveries(connection, text, length, now);
    if (connection->sends) read_answers(connection, text, end, now);
    rtm_acknowledge_bytes(connection);
}

const struct protocol protocol_rtm_peers = {
    .name = "rtm-peers",
    .message_head = "{\"type\":\"TEXT\",\"text\":\"",
    .message_tail = "\"}",
    .write_path = rtm_write_path,
    .opened = rtm_opened,
    .received = received,
    .send_message = send_message,
    .heartbeat = rtm_heartbeat,
    .goodbye = rtm_goodbye,
    .acks_are_of_a_message = true,
};
